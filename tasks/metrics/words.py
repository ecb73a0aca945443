"""Metrics in words: what people call them, and how they write a value."""

import re
from collections import Counter
from collections.abc import Sequence

LOSSES = frozenset({"nll", "brier", "ece", "ece_equal_mass", "aurc"})
"""Metrics of which less is better."""

PLAIN = frozenset({*LOSSES, "mcc", "kappa"})
"""Metrics that are no percentages."""

TITLES = {
    "f1": "F1",
    "macro_f1": "Macro F1",
    "weighted_f1": "Weighted F1",
    "nll": "Negative log-likelihood",
    "brier": "Brier score",
    "micro_f1": "Micro F1",
    "auroc": "Area under the ROC curve",
    "macro_auroc": "Macro area under the ROC curve",
    "mcc": "Matthews correlation",
    "kappa": "Cohen's kappa",
    "ece": "Calibration error",
    "ece_equal_mass": "Calibration error, bins of equal mass",
    "aurc": "Area under the risk-coverage curve",
}
_TOP = re.compile(r"top(\d+)(?:_failed_as_(wrong|right))?")


def metric_title(name: str) -> str:
    """What people call a metric, as the start of a sentence."""
    if top := _TOP.fullmatch(name):
        failed = f", failed images counted as {top[2]}" if top[2] else " accuracy"
        return f"Top-{top[1]}{failed}"
    return TITLES.get(name, name.replace("_", " ").capitalize())


def figure(name: str, value: float) -> str:
    """A value as people write it: a percentage, or a plain number for what is no share."""
    return f"{value:.4g}" if name in PLAIN else f"{100 * value:.1f} %"


def counted(n: int, singular: str, plural: str | None = None) -> str:
    """``1 image``, ``2,000 images``."""
    return f"{n:,} {singular if n == 1 else plural or singular + 's'}"


def class_labels(names: Sequence[str], ids: Sequence[str]) -> tuple[str, ...]:
    """One per class: its name, with the id behind it where several classes share the name."""
    times = Counter(names)
    return tuple(
        name if times[name] == 1 else f"{name} ({key})"
        for name, key in zip(names, ids, strict=True)
    )
