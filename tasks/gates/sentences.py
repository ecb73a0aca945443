"""Verdicts in sentences that a person who has never seen a confusion matrix understands."""

from collections.abc import Sequence

from shards.sample import ClassList
from tasks.metrics.metric import STATE_SENTENCES, Metric

LOSSES = frozenset({"nll", "brier"})
"""Metrics that are no percentages."""

MEANINGS = {
    "recall": "of 100 images that show {name}, the model finds {count}",
    "precision": "of 100 times that the model says {name}, it is right {count} times",
}


def figure(metric: str, value: float) -> str:
    """A value as people write it: a percentage, or a plain number for a loss."""
    return f"{value:.4g}" if metric in LOSSES else f"{100 * value:.1f} %"


def bound_text(metric: str, low: float | None, high: float | None) -> str:
    """What a gate demands: ``at least 75.0 %``."""
    parts = []
    if low is not None:
        parts.append(f"at least {figure(metric, low)}")
    if high is not None:
        parts.append(f"at most {figure(metric, high)}")
    return " and ".join(parts)


def with_interval(metric: Metric, confidence: float) -> str:
    """``12.0 % (6 of 50; 95 % interval 5.6 % to 23.8 %)``."""
    if metric.value is None:
        return STATE_SENTENCES[metric.state]
    interval = metric.interval(confidence)
    # F1 rests on a union of samples, of which its value is not a plain share.
    counted = metric.hits is not None and metric.method == "wilson"
    support = f"{metric.hits:,} of {metric.n:,}" if counted else f"n = {metric.n:,}"
    if interval is None:
        return f"{figure(metric.name, metric.value)} ({support}; too few for an interval)"
    low, high = (figure(metric.name, bound) for bound in interval)
    return (
        f"{figure(metric.name, metric.value)} ({support}; "
        f"{100 * confidence:.4g} % interval {low} to {high})"
    )


def overall_sentence(
    metric: Metric, state: str, low: float | None, high: float | None, confidence: float
) -> str:
    """Why a gate on an overall metric came out as it did."""
    bound = bound_text(metric.name, low, high)
    said = f"{metric.name} is {with_interval(metric, confidence)}; {bound} is required"
    match state:
        case "passed":
            return f"{said}, and that is met."
        case "failed":
            return f"{said}, and that is missed."
        case _ if metric.value is None:
            return f"{said}, and cannot be judged."
        case _:
            return f"{said}; {metric.n:,} samples are too few to tell."


def class_sentence(
    worst: Sequence[Metric],
    state: str,
    classes: ClassList,
    *,
    judged: int,
    deciding: int,
    left_out: int,
    low: float | None,
    high: float | None,
    metric: str,
) -> str:
    """Why a gate on classes came out as it did; ``worst`` is ordered worst first."""
    bound = bound_text(metric, low, high)
    rest = f" {left_out} classes without a figure were left out." if left_out else ""
    if not worst:
        return f"No class has a {metric}, so that {bound} cannot be judged.{rest}"
    first = worst[0]
    name = classes.names[first.class_index or 0]
    said = f"{metric} of {name} is {with_interval(first, 0.95)}"
    match state:
        case "passed":
            return f"No class of {judged} is shown to miss {bound}; the lowest: {said}.{rest}"
        case "failed":
            more = f" {deciding} of {judged} classes miss it." if deciding > 1 else ""
            return f"{said}; {bound} is required.{_meaning(first, name)}{more}{rest}"
        case _:
            return f"{said}; {bound} is required, and it is too close or too few to tell.{rest}"


def _meaning(metric: Metric, name: str) -> str:
    if metric.name not in MEANINGS or metric.value is None:
        return ""
    return f" That is: {MEANINGS[metric.name].format(name=name, count=round(100 * metric.value))}."
