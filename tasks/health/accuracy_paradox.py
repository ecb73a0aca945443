"""Accuracy paradox: a high accuracy that a constant answer reaches, or that hides its classes."""

from tasks.gates.sentences import with_interval
from tasks.health.finding import Evidence, Finding, listed
from tasks.metrics.metric import Metric
from tasks.metrics.scoring import Scoring
from tasks.metrics.words import class_labels, counted, figure

HIDDEN = 0.5
"""A class is hidden by the accuracy if its recall is shown to be below this part of it: a reader
who expects the accuracy of that class is wrong by half. 12 % under 98 % is; 60 % under 81 % not."""
ADVICE_MAJORITY = (
    "Do not use accuracy here: judge macro recall or the recall of the classes that matter, and "
    "test on images with more of the rare classes."
)
ADVICE_CLASSES = (
    "Put a floor under the recall of each class (a gate of scope each_class), and look at the "
    "images of these classes."
)


def accuracy_paradox(scoring: Scoring) -> Finding:
    """Top-1 against the share of the largest class, and against the recall of the worst classes.

    Always naming the largest class has a known accuracy on these images, so that it is a number and
    not an estimate. A class counts as hidden on its interval at 1 − α/m for m classes (Bonferroni).
    """
    if not scoring.n:
        return Finding.not_checked("accuracy_paradox", "no labelled image was predicted.")
    top1 = scoring.metric("top1")
    largest = max(range(len(scoring.support)), key=scoring.support.__getitem__)
    constant = scoring.support[largest] / scoring.n
    names = class_labels(scoring.class_names, scoring.class_ids)
    hidden, judged = _hidden(scoring, top1)
    said = f"Top-1 accuracy is {with_interval(top1, scoring.confidence)}"
    always = (
        f"always answering {names[largest]}, the largest class, is right for "
        f"{figure('top1', constant)}"
    )
    evidence = Evidence(
        metrics=(top1, scoring.metric("balanced_accuracy"), *listed(hidden)),
        classes=listed([names[metric.class_index or 0] for metric in hidden]),
        classes_total=len(hidden),
    )
    # With one class both are 100 %; that is no paradox.
    classes = sum(support > 0 for support in scoring.support)
    if classes > 1 and top1.low is not None and top1.low <= constant:
        sentence = f"{said}; {always}. The model is not shown to know more than that."
        return Finding.warning("accuracy_paradox", sentence, evidence, ADVICE_MAJORITY)
    if hidden:
        worst = with_interval(hidden[0], 1 - (1 - scoring.confidence) / judged)
        share = counted(len(hidden), "class has", "classes have")
        sentence = (
            f"{said}, yet {share} less than half of that, the worst {evidence.classes[0]}: recall "
            f"{worst}."
        )
        return Finding.warning("accuracy_paradox", sentence, evidence, ADVICE_CLASSES)
    return Finding.info("accuracy_paradox", f"{said}; {always}.", evidence)


def _hidden(scoring: Scoring, top1: Metric) -> tuple[list[Metric], int]:
    """The classes that the accuracy hides, worst first, and how many classes were looked at."""
    recalls = [m for m in scoring.per_class if m.name == "recall" and m.value is not None]
    confidence = 1 - (1 - scoring.confidence) / max(len(recalls), 1)
    found = []
    for recall in recalls:
        interval = recall.interval(confidence)
        if interval is not None and interval[1] < HIDDEN * (top1.value or 0.0):
            found.append(recall)
    return sorted(found, key=lambda recall: recall.value or 0.0), len(recalls)
