"""Metrics in words: what people call them, and how they write a value."""

LOSSES = frozenset({"nll", "brier"})
"""Metrics that are no percentages."""

TITLES = {
    "top1": "Top-1 accuracy",
    "top5": "Top-5 accuracy",
    "top1_failed_as_wrong": "Top-1, failed images counted as wrong",
    "top1_failed_as_right": "Top-1, failed images counted as right",
    "top5_failed_as_wrong": "Top-5, failed images counted as wrong",
    "top5_failed_as_right": "Top-5, failed images counted as right",
    "f1": "F1",
    "macro_f1": "Macro F1",
    "weighted_f1": "Weighted F1",
    "nll": "Negative log-likelihood",
    "brier": "Brier score",
}


def metric_title(name: str) -> str:
    """What people call a metric, as the start of a sentence."""
    return TITLES.get(name, name.replace("_", " ").capitalize())


def figure(name: str, value: float) -> str:
    """A value as people write it: a percentage, or a plain number for a loss."""
    return f"{value:.4g}" if name in LOSSES else f"{100 * value:.1f} %"


def counted(n: int, singular: str, plural: str | None = None) -> str:
    """``1 image``, ``2,000 images``."""
    return f"{n:,} {singular if n == 1 else plural or singular + 's'}"
