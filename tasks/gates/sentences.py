"""Verdicts in sentences that a person who has never seen a confusion matrix understands."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from shards.sample import ClassList
from tasks.metrics.change import CHANGE_SENTENCES, Change
from tasks.metrics.comparison_words import change_text
from tasks.metrics.metric import STATE_SENTENCES, Metric
from tasks.metrics.words import LOSSES, bound, counted, figure, metric_title, points

Policy = Literal["proven", "not_disproven", "point"]
VerdictState = Literal["passed", "failed", "inconclusive", "not_applicable"]

MEANINGS = {
    "recall": "of 100 images that show {name}, the model finds about {count}",
    "precision": "of 100 times that the model says {name}, it is right about {count} times",
}


@dataclass(frozen=True, slots=True)
class Demand:
    """What a gate demands of a metric, and how it is judged.

    Attributes:
        least_gain: by how much it must at least be better than the baseline (negative: it may be
            worse by so much), in place of ``low`` and ``high``.
        relative: whether ``least_gain`` is a share of the baseline's value.
    """

    metric: str
    low: float | None
    high: float | None
    policy: Policy
    confidence: float
    least_gain: float | None = None
    relative: bool = False

    def __str__(self) -> str:
        """``at least 75.0 %``, or ``at most 1.0 points below the baseline``."""
        if self.least_gain is not None:
            return self._change()
        parts = []
        if self.low is not None:
            parts.append(f"at least {bound(self.metric, self.low)}")
        if self.high is not None:
            parts.append(f"at most {bound(self.metric, self.high)}")
        return " and ".join(parts)

    @property
    def bounds(self) -> tuple[float, ...]:
        """What a figure must be told from, or the difference where a change is demanded."""
        if self.least_gain is None:
            return tuple(end for end in (self.low, self.high) if end is not None)
        if self.relative:
            return ()
        return (-self.least_gain if self.metric in LOSSES else self.least_gain,)

    def _change(self) -> str:
        gain = self.least_gain or 0.0
        is_loss = self.metric in LOSSES
        below = (gain > 0) == is_loss
        limit = "at least" if gain > 0 else "at most"
        if gain == 0:
            return f"not {'above' if is_loss else 'below'} the baseline"
        if self.relative:
            size = f"{100 * abs(gain):.10g} % of its value"
        else:
            size = f"{abs(gain):.10g}" if is_loss else f"{points(abs(gain))} points"
        return f"{limit} {size} {'below' if below else 'above'} the baseline"


@dataclass(frozen=True, slots=True)
class Judged:
    """How many classes (or slices) were judged, how many of them decided, how many were left out.

    Attributes:
        of: what is counted, singular and plural.
        is_measured: whether the one that decides has a figure.
    """

    judged: int
    deciding: int
    left_out: int
    of: tuple[str, str] = ("class", "classes")
    is_measured: bool = True


def with_interval(metric: Metric, confidence: float, beside: Sequence[float] = ()) -> str:
    """``12.0 % (6 of 50; 95 % interval 5.6 % to 23.8 %)``."""
    if metric.value is None:
        return STATE_SENTENCES[metric.state]
    interval = metric.interval(confidence)
    # F1 rests on a union of samples, of which its value is not a plain share.
    is_share = metric.hits is not None and metric.method == "wilson"
    support = f"{metric.hits:,} of {metric.n:,}" if is_share else f"n = {metric.n:,}"
    value = figure(metric.name, metric.value, beside)
    if interval is None:
        return f"{value} ({support}; too few for an interval)"
    low, high = (figure(metric.name, end, beside) for end in interval)
    return f"{value} ({support}; {100 * confidence:.6g} % interval {low} to {high})"


def overall_sentence(metric: Metric, state: VerdictState, demand: Demand) -> str:
    """Why a gate on an overall metric came out as it did."""
    value = with_interval(metric, demand.confidence, demand.bounds)
    said = f"{metric_title(metric.name)} is {value}; {demand} is required"
    if state == "inconclusive" and metric.value is None:
        return f"{said}, and cannot be judged."
    return f"{said}{_ending(state, demand, metric.n)}"


def _ending(state: VerdictState, demand: Demand, n: int) -> str:
    match state:
        case "passed" if demand.policy == "not_disproven":
            return ", and nothing shows that it is missed."
        case "passed":
            return ", and that is met."
        case "failed":
            return ", and that is missed."
        case _:
            return f"; {counted(n, 'image is', 'images are')} too few to tell."


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
        left = counted(counts.left_out, *counts.of)
        rest = f" {left} without a figure {'was' if counts.left_out == 1 else 'were'} left out."
    if not worst:
        return f"{title}: no {counts.of[0]} has one, so that {demand} cannot be judged.{rest}"
    first = worst[0]
    name = first.slice or classes.names[first.class_index or 0]
    confidence = deciding_confidence(demand, state, counts.judged)
    said = f"{title} of {name} is {with_interval(first, confidence, demand.bounds)}"
    meaning = "" if first.slice else _meaning(first, name)
    return _of_many(said, state, demand, counts, meaning) + rest


def deciding_confidence(demand: Demand, state: VerdictState, judged: int) -> float:
    """What failed did so at the corrected confidence; that is the interval to show."""
    is_corrected = state == "failed" and demand.policy != "point"
    return 1 - (1 - demand.confidence) / judged if is_corrected else demand.confidence


def class_change_sentence(
    worst: Sequence[Change],
    state: VerdictState,
    classes: ClassList,
    demand: Demand,
    counts: Judged,
) -> str:
    """Why a gate on the changes of classes came out as it did; ``worst`` is ordered worst first."""
    title = metric_title(demand.metric)
    if not worst:
        return f"{title}: no class has one to compare, so that {demand} cannot be judged."
    first = worst[0]
    name = classes.names[first.class_index or 0]
    if first.difference is None:
        said = f"{title} of {name} {CHANGE_SENTENCES[first.state]}"
    else:
        confidence = deciding_confidence(demand, state, counts.judged)
        said = f"{title} of {name} changed by {change_text(first, confidence, demand.bounds)}"
    return _of_many(said, state, demand, counts, "")


def change_sentence(change: Change, state: VerdictState, demand: Demand) -> str:
    """Why a gate on the change of an overall metric came out as it did."""
    title = metric_title(change.metric)
    if change.difference is None:
        why = CHANGE_SENTENCES[change.state]
        return f"{title} {why}; {demand} is required, and cannot be judged."
    by = change_text(change, demand.confidence, demand.bounds)
    said = f"{title} changed by {by}; {demand} is required"
    return f"{said}{_ending(state, demand, change.n)}"


def _of_many(said: str, state: VerdictState, demand: Demand, counts: Judged, meaning: str) -> str:
    match state:
        case "passed":
            return f"{_all_passed(demand, counts)}; the worst: {said}."
        case "failed":
            more = ""
            if counts.deciding > 1:
                more = f" {counts.deciding:,} of {counts.judged:,} {counts.of[1]} miss it."
            return f"{said}; {demand} is required.{meaning}{more}"
        case _:
            why = "it is too close or too few to tell" if counts.is_measured else "cannot be judged"
            return f"{said}; {demand} is required, and {why}."


def _all_passed(demand: Demand, counts: Judged) -> str:
    one, many = counts.of
    every = f"The {one}" if counts.judged == 1 else f"Each of {counts.judged:,} {many}"
    is_change = demand.least_gain is not None
    match demand.policy:
        case "proven":
            return f"{every} is shown to {'lie' if is_change else 'have'} {demand}"
        case "point":
            return f"{every} {'lies' if is_change else 'has'} {demand}"
        case "not_disproven":
            several = f"none of {counts.judged:,} {many} is"
            none = f"the {one} is not" if counts.judged == 1 else several
            return f"Required is {demand}, and {none} shown to miss that"


def _meaning(metric: Metric, name: str) -> str:
    if metric.name not in MEANINGS or metric.value is None:
        return ""
    return f" That is: {MEANINGS[metric.name].format(name=name, count=round(100 * metric.value))}."
