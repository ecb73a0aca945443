"""Verdicts in sentences that a person who has never seen a confusion matrix understands."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from shards.sample import ClassList
from tasks.metrics.metric import STATE_SENTENCES, Metric
from tasks.metrics.words import counted, figure, metric_title

Policy = Literal["proven", "not_disproven", "point"]
VerdictState = Literal["passed", "failed", "inconclusive", "not_applicable"]

MEANINGS = {
    "recall": "of 100 images that show {name}, the model finds about {count}",
    "precision": "of 100 times that the model says {name}, it is right about {count} times",
}


@dataclass(frozen=True, slots=True)
class Demand:
    """What a gate demands of a metric, and how it is judged."""

    metric: str
    low: float | None
    high: float | None
    policy: Policy
    confidence: float

    def __str__(self) -> str:
        """``at least 75.0 %``."""
        parts = []
        if self.low is not None:
            parts.append(f"at least {figure(self.metric, self.low)}")
        if self.high is not None:
            parts.append(f"at most {figure(self.metric, self.high)}")
        return " and ".join(parts)


@dataclass(frozen=True, slots=True)
class Judged:
    """How many classes were judged, how many of them decided, how many were left out."""

    judged: int
    deciding: int
    left_out: int


def with_interval(metric: Metric, confidence: float) -> str:
    """``12.0 % (6 of 50; 95 % interval 5.6 % to 23.8 %)``."""
    if metric.value is None:
        return STATE_SENTENCES[metric.state]
    interval = metric.interval(confidence)
    # F1 rests on a union of samples, of which its value is not a plain share.
    is_share = metric.hits is not None and metric.method == "wilson"
    support = f"{metric.hits:,} of {metric.n:,}" if is_share else f"n = {metric.n:,}"
    if interval is None:
        return f"{figure(metric.name, metric.value)} ({support}; too few for an interval)"
    low, high = (figure(metric.name, bound) for bound in interval)
    return (
        f"{figure(metric.name, metric.value)} ({support}; "
        f"{100 * confidence:.6g} % interval {low} to {high})"
    )


def overall_sentence(metric: Metric, state: VerdictState, demand: Demand) -> str:
    """Why a gate on an overall metric came out as it did."""
    said = (
        f"{metric_title(metric.name)} is {with_interval(metric, demand.confidence)}; "
        f"{demand} is required"
    )
    match state:
        case "passed" if demand.policy == "not_disproven":
            return f"{said}, and nothing shows that it is missed."
        case "passed":
            return f"{said}, and that is met."
        case "failed":
            return f"{said}, and that is missed."
        case _ if metric.value is None:
            return f"{said}, and cannot be judged."
        case _:
            return f"{said}; {counted(metric.n, 'image is', 'images are')} too few to tell."


def class_sentence(
    worst: Sequence[Metric],
    state: VerdictState,
    classes: ClassList,
    demand: Demand,
    counts: Judged,
) -> str:
    """Why a gate on classes came out as it did; ``worst`` is ordered worst first."""
    title = metric_title(demand.metric)
    rest = ""
    if counts.left_out:
        left = counted(counts.left_out, "class", "classes")
        rest = f" {left} without a figure {'was' if counts.left_out == 1 else 'were'} left out."
    if not worst:
        return f"No class has a {title.lower()}, so that {demand} cannot be judged.{rest}"
    first = worst[0]
    name = classes.names[first.class_index or 0]
    # What failed did so at the corrected confidence; that is the interval to show.
    corrected = 1 - (1 - demand.confidence) / counts.judged
    is_corrected = state == "failed" and demand.policy != "point"
    confidence = corrected if is_corrected else demand.confidence
    said = f"{title} of {name} is {with_interval(first, confidence)}"
    match state:
        case "passed":
            return f"{_all_passed(demand, counts.judged)}; the worst: {said}.{rest}"
        case "failed":
            more = ""
            if counts.deciding > 1:
                more = f" {counts.deciding} of {counts.judged} classes miss it."
            return f"{said}; {demand} is required.{_meaning(first, name)}{more}{rest}"
        case _:
            return f"{said}; {demand} is required, and it is too close or too few to tell.{rest}"


def _all_passed(demand: Demand, judged: int) -> str:
    classes = "The class" if judged == 1 else f"Each of {judged} classes"
    match demand.policy:
        case "proven":
            return f"{classes} is shown to have {demand}"
        case "point":
            return f"{classes} has {demand}"
        case "not_disproven":
            return f"No class of {judged} is shown to miss {demand}"


def _meaning(metric: Metric, name: str) -> str:
    if metric.name not in MEANINGS or metric.value is None:
        return ""
    return f" That is: {MEANINGS[metric.name].format(name=name, count=round(100 * metric.value))}."
