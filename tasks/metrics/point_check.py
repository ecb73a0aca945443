"""A threshold that was chosen once, looked at again under another model version or dataset."""

from collections.abc import Callable, Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from tasks.metrics.metric import Metric
from tasks.metrics.threshold import AtThreshold, ClassScores, Wanted

THRESHOLD_NAMES = ("recall_at_threshold", "precision_at_threshold")
"""Figures of a class that has an operating point, beside its plain recall and precision."""


class ClassThreshold(BaseModel):
    """A class, a threshold on its probability, and what it shall reach."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    class_index: int = Field(ge=0)
    threshold: float = Field(ge=0, le=1)
    wanted: Wanted


class PointCheck(ClassThreshold):
    """What a threshold reaches now.

    ``reached``: the whole interval is at or above what was wanted; ``missed``: all of it is below;
    ``undecided``: neither; ``undefined``: there is no figure.
    """

    state: Literal["reached", "missed", "undecided", "undefined"]
    found: AtThreshold | None = Field(
        default=None, description="Null where the probabilities were not kept."
    )

    @property
    def metrics(self) -> tuple[Metric, Metric]:
        """Recall and precision at the threshold."""
        if self.found is not None:
            return self.found.recall, self.found.precision
        recall, precision = (
            Metric.undefined(name, "needs_scores", 0, self.class_index) for name in THRESHOLD_NAMES
        )
        return recall, precision

    @property
    def wanted_metric(self) -> Metric:
        """The one of ``metrics`` that was wanted."""
        recall, precision = self.metrics
        return recall if self.wanted.metric == "recall" else precision


def check_points(
    thresholds: Iterable[ClassThreshold], scores_of: Callable[[int], ClassScores | None]
) -> tuple[PointCheck, ...]:
    """Every threshold on the scores of its class; None where they were not kept."""
    return tuple(_checked(threshold, scores_of(threshold.class_index)) for threshold in thresholds)


def _checked(threshold: ClassThreshold, scores: ClassScores | None) -> PointCheck:
    found = None if scores is None else scores.at(threshold.threshold)
    facts = threshold.model_dump(include=set(ClassThreshold.model_fields))
    check = PointCheck(**facts, state="undefined", found=found)
    interval = check.wanted_metric.interval(threshold.wanted.confidence)
    if interval is None:
        return check
    low, high = interval
    wanted = threshold.wanted.value
    state = "reached" if low >= wanted else "missed" if high < wanted else "undecided"
    return check.model_copy(update={"state": state})
