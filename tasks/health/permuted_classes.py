"""Permuted classes: the model is right, in another order of the classes than the labels are."""

import numpy as np
import scipy.optimize
import scipy.stats
from numpy.typing import NDArray

from tasks.health.finding import Check, ConfusedPair, Evidence, Finding, listed
from tasks.metrics.intervals import wilson
from tasks.metrics.metric import Metric
from tasks.metrics.scoring import Scoring
from tasks.metrics.words import class_labels, counted

MAJORITY = 0.5
LEAST_MOVED = 2
"""One class alone cannot be permuted."""
ADVICE = (
    "The order of the model's outputs is not that of the dataset's classes: compare the class list "
    "of the training run with `classes` of the plan before believing any figure of this pair."
)


def permuted_classes(scoring: Scoring) -> Finding:
    """Whether another naming of the classes would set right what the model says.

    The assignment of predictions to classes with most hits (Kuhn 1955; Jonker and Volgenant 1987)
    beats the diagonal by chance, too, for a model that only guesses. So a class counts as moved
    only where that assignment leads off the diagonal, and it is shown (Wilson's interval at 1 − α/m
    for m classes, both ways) that more than half of its images are called the other class, and
    that more than half of what is called the other class is of it. A model that calls everything
    one class meets the first and never the second.
    """
    check: Check = "permuted_classes"
    if not scoring.n:
        return Finding.not_checked(check, "no labelled image was predicted.")
    counts = _matrix(scoring)
    support, predicted = counts.sum(axis=1), counts.sum(axis=0)
    confidence = 1 - (1 - scoring.confidence) / max(int((support > 0).sum()), 1)
    needed = _least_images(confidence)
    if support.max() < needed:
        reason = (
            f"no class has the {needed} images that it takes to tell a wrong order from bad luck."
        )
        return Finding.not_checked(check, reason)
    targets, predictions = scipy.optimize.linear_sum_assignment(counts, maximize=True)
    names = class_labels(scoring.class_names, scoring.class_ids)
    moved = [
        ConfusedPair(
            target=int(a),
            prediction=int(b),
            count=int(counts[a, b]),
            name=f"{names[a]} as {names[b]}",
        )
        for a, b in zip(targets, predictions, strict=True)
        if a != b
        and _is_majority(counts[a, b], support[a], confidence)
        and _is_majority(counts[a, b], predicted[b], confidence)
    ]
    moved.sort(key=lambda pair: (-pair.count, pair.target))
    assigned = int(counts[targets, predictions].sum())
    top1 = scoring.metric("top1")
    if len(moved) < LEAST_MOVED:
        said = "No class is shown to be called by another's name"
        return Finding.info(check, f"{said} ({counted(scoring.n, 'image')}).")
    better = Metric.proportion("top1_in_best_order", assigned, scoring.n)
    evidence = Evidence(
        metrics=(top1, better),
        classes=listed([names[pair.target] for pair in moved]),
        classes_total=len(moved),
        confused=listed(moved),
        confused_total=len(moved),
    )
    first = ", ".join(f"{pair.name} ({pair.count:,} times)" for pair in moved[:3])
    more = f" and {len(moved) - 3:,} more" if len(moved) > 3 else ""
    sentence = (
        f"Your classes are permuted: {len(moved):,} are called by another's "
        f"name: {first}{more}. In the best order {100 * assigned / scoring.n:.1f} % of "
        f"{scoring.n:,} images would be right instead of {100 * (top1.value or 0):.1f} %."
    )
    return Finding.warning(check, sentence, evidence, ADVICE)


def _matrix(scoring: Scoring) -> NDArray[np.int64]:
    counts = np.zeros((len(scoring.support),) * 2, dtype=np.int64)
    for target, prediction, count in scoring.confusion:
        counts[target, prediction] = count
    return counts


def _is_majority(part: int, whole: int, confidence: float) -> bool:
    return whole > 0 and wilson(int(part), int(whole), confidence)[0] > MAJORITY


def _least_images(confidence: float) -> int:
    """From how many images on, all alike, Wilson's interval lies above one half: n > z^2."""
    z = float(scipy.stats.norm.isf((1 - confidence) / 2))
    return int(z * z) + 1
