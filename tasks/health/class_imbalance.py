"""Class imbalance: some classes have many images and speak loudest in every plain average."""

import numpy as np

from tasks.health.finding import Evidence, Finding, listed
from tasks.metrics.scoring import Scoring
from tasks.metrics.words import class_labels, counted, figure

RATIO = 10.0
"""Largest to smallest class from which it warns: then a plain accuracy may lose the whole smallest
class and fall by less than the chance of most test sets. Below it macro and plain averages tend to
agree within a few points."""
ADVICE = (
    "Judge macro recall and the recall of each class besides accuracy, and collect images of the "
    "small classes: their intervals are wide."
)
FIGURES = ("top1", "balanced_accuracy", "macro_f1", "weighted_f1")


def class_imbalance(scoring: Scoring) -> Finding:
    """How even the classes are, and how far macro and weighted averages part because of it.

    The effective number of classes is 1 / sum p^2, with p the shares of the classes: that many
    equal ones would be as even. Source: Simpson (1949), Nature 163, 688.
    """
    if not scoring.n:
        return Finding.not_checked("class_imbalance", "no labelled image was predicted.")
    support = np.asarray(scoring.support, dtype=np.int64)
    present = np.flatnonzero(support)
    if len(present) == 1:
        return Finding.not_checked("class_imbalance", "there are images of one class only.")
    names = class_labels(scoring.class_names, scoring.class_ids)
    order = present[np.argsort(support[present], kind="stable")]
    small, large = int(order[0]), int(order[-1])
    ratio = float(support[large] / support[small])
    shares = support[present] / support.sum()
    effective = float(1 / (shares**2).sum())
    metrics = [scoring.metric(name) for name in FIGURES]
    smallest = [int(index) for index in order if support[index] * RATIO <= support[large]]
    evidence = Evidence(
        metrics=tuple(metrics),
        classes=listed([names[index] for index in smallest]),
        classes_total=len(smallest),
    )
    accuracy, balanced = (metric.value or 0.0 for metric in metrics[:2])
    absent = len(support) - len(present)
    left = f" {counted(absent, 'class has', 'classes have')} no image at all." if absent else ""
    spread = (
        f"{names[large]} has {counted(int(support[large]), 'image')}, {names[small]} "
        f"{support[small]:,}: a ratio of {ratio:.3g}. The {len(present):,} classes with images are "
        f"as even as {effective:.3g} equal ones."
    )
    if ratio == 1:
        spread = f"Each of {len(present):,} classes has {counted(int(support[large]), 'image')}."
    sentence = (
        f"{spread} Plain accuracy is {figure('top1', accuracy)}, the "
        f"mean over classes {figure('top1', balanced)}.{left}"
    )
    if ratio >= RATIO:
        return Finding.warning("class_imbalance", sentence, evidence, ADVICE)
    return Finding.info("class_imbalance", sentence, evidence)
