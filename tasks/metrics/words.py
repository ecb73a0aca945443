"""Metrics in words: what people call them, and how they write a value."""

import re
from collections import Counter
from collections.abc import Callable, Sequence

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
MORE_DIGITS = 7
"""Values that so many further digits do not tell apart are written alike."""

_TOP = re.compile(r"top(\d+)(?:_failed_as_(wrong|right))?")


def metric_title(name: str) -> str:
    """What people call a metric, as the start of a sentence."""
    if top := _TOP.fullmatch(name):
        failed = f", failed images counted as {top[2]}" if top[2] else " accuracy"
        return f"Top-{top[1]}{failed}"
    return TITLES.get(name, name.replace("_", " ").capitalize())


def figure(name: str, value: float, beside: Sequence[float] = ()) -> str:
    """A value as people write it: a percentage, or a plain number for what is no share.

    It has one decimal (a plain number four digits), and as many more as it takes to be told from 0
    and 100 % and from the values ``beside`` it: 9,999 of 10,000 are not 100 %, nor is a bound met
    that was missed by a hair.
    """
    if name in PLAIN:
        return apart(value, beside, lambda number, more: f"{number:.{4 + more}g}")
    return apart(value, (0, 1, *beside), percent) + " %"


def percent(share: float, more: int = 0) -> str:
    """``12.0``, with more decimals if wanted."""
    return f"{100 * share:.{1 + more}f}"


def bound(name: str, value: float) -> str:
    """A bound as it was given, and not rounded: ``75.0 %``, ``99.95 %``."""
    if name in PLAIN:
        return f"{value:.10g}"
    return points(value) + " %"


def points(share: float) -> str:
    """A share that someone gave, in points: ``1.0``, ``0.25``."""
    whole = f"{100 * share:.10g}"
    return whole if "." in whole or "e" in whole else f"{whole}.0"


def apart(value: float, others: Sequence[float], write: Callable[[float, int], str]) -> str:
    """What ``write`` makes of a value, with the fewest further digits that tell it from others."""
    different = [other for other in others if other != value]
    for more in range(MORE_DIGITS):
        text = write(value, more)
        if all(write(other, more) != text for other in different):
            return text
    return write(value, 0)


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
