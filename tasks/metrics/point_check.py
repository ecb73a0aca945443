"""A threshold that was chosen once, looked at again under another model version or dataset."""

from collections.abc import Callable, Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from tasks.metrics.metric import Metric, State
from tasks.metrics.threshold import AtThreshold, ClassScores, Share, Wanted

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
        """Recall and precision at the threshold, as figures of the class."""
        recall, precision = THRESHOLD_NAMES
        if self.found is None:
            return self._undefined(recall, "needs_scores"), self._undefined(
                precision, "needs_scores"
            )
        absent = self.found.recall.n == 0
        return (
            self._metric(recall, self.found.recall, "absent_class"),
            self._metric(
                precision, self.found.precision, "absent_class" if absent else "never_predicted"
            ),
        )

    @property
    def share(self) -> Share | None:
        """What was wanted, as it is now; None where nothing is known."""
        if self.found is None:
            return None
        return self.found.recall if self.wanted.metric == "recall" else self.found.precision

    def _metric(self, name: str, share: Share, otherwise: State) -> Metric:
        if share.n == 0:
            return self._undefined(name, otherwise)
        return Metric.proportion(
            name, share.hits, share.n, scope="class", class_index=self.class_index
        )

    def _undefined(self, name: str, state: State) -> Metric:
        return Metric.undefined(name, state, 0, self.class_index)


def check_points(
    thresholds: Iterable[ClassThreshold], scores_of: Callable[[int], ClassScores | None]
) -> tuple[PointCheck, ...]:
    """Every threshold on the scores of its class; None where they were not kept."""
    return tuple(_checked(threshold, scores_of(threshold.class_index)) for threshold in thresholds)


def _checked(threshold: ClassThreshold, scores: ClassScores | None) -> PointCheck:
    wanted = threshold.wanted
    found = None if scores is None else scores.at(threshold.threshold, wanted.confidence)
    facts = threshold.model_dump(include=set(ClassThreshold.model_fields))
    check = PointCheck(**facts, state="undefined", found=found)
    share = check.share
    if share is None or share.low is None or share.high is None:
        return check
    missed = "missed" if share.high < wanted.value else "undecided"
    state = "reached" if share.low >= wanted.value else missed
    return check.model_copy(update={"state": state})
