"""A change: by how much one figure of the candidate differs from the baseline's."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from tasks.metrics.intervals import CONFIDENCE, Interval
from tasks.metrics.paired import paired_interval, unpaired_interval

ChangeMethod = Literal["tango", "newcombe", "student", "identity", "none"]
ChangeState = Literal["defined", "no_samples", "infinite", "unpaired"]

CHANGE_SENTENCES: dict[ChangeState, str] = {
    "defined": "defined",
    "no_samples": "cannot be compared: no labelled image was predicted by both",
    "infinite": "cannot be compared: a target was given the probability 0",
    "unpaired": "cannot be compared: the two were measured on different images",
}


class Tally(BaseModel):
    """How many of n images are right."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hits: int
    n: int = Field(ge=0)


class Change(BaseModel):
    """Candidate − baseline in one figure, overall or of a class.

    ``method`` says what the interval is: ``tango`` on the same images, ``newcombe`` on different
    ones, ``student`` of the paired differences of a loss, ``identity`` where both are one
    evaluation. ``difference``, ``low`` and ``high`` are null unless ``state`` is ``defined``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str
    class_index: int | None = None
    state: ChangeState = "defined"
    baseline: float | None = Field(default=None, description="The baseline's value.")
    candidate: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = Field(ge=0, description="Images of both, or for `newcombe` of the candidate.")
    method: ChangeMethod = "none"
    fixed: int | None = Field(default=None, description="Images that only the candidate has right.")
    broken: int | None = Field(default=None, description="Images that only the baseline has right.")
    p: float | None = Field(default=None, description="Exact McNemar, two-sided.")
    q: float | None = Field(
        default=None, description="p after Benjamini and Hochberg, among the classes."
    )
    tallies: tuple[Tally, Tally] | None = Field(
        default=None, description="`newcombe`: of the candidate, of the baseline."
    )

    def interval(self, confidence: float) -> Interval | None:
        """The interval at another confidence for counted figures; else the one at hand."""
        match self.method, self.fixed, self.broken:
            case "tango", int(fixed), int(broken):
                return paired_interval(fixed, broken, self.n, confidence)
            case "newcombe", _, _ if self.tallies is not None:
                (ours, theirs) = ((tally.hits, tally.n) for tally in self.tallies)
                return unpaired_interval(ours, theirs, confidence)
            case _ if self.low is None or self.high is None:
                return None
            case _:
                return self.low, self.high

    @property
    def is_shown(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high


def paired_change(
    metric: str,
    hits: tuple[int, int],
    changed: tuple[int, int],
    n: int,
    p: float,
    class_index: int | None = None,
    q: float | None = None,
) -> Change:
    """Of (candidate, baseline) hits and (fixed, broken) images among n, at least 1."""
    low, high = paired_interval(*changed, n, CONFIDENCE)
    return Change(
        metric=metric,
        class_index=class_index,
        baseline=hits[1] / n,
        candidate=hits[0] / n,
        difference=(changed[0] - changed[1]) / n,
        low=low,
        high=high,
        n=n,
        method="tango",
        fixed=changed[0],
        broken=changed[1],
        p=p,
        q=q,
    )


def unpaired_change(metric: str, candidate: Tally, baseline: Tally) -> Change:
    """Of two accuracies on different images."""
    if not candidate.n or not baseline.n:
        return Change(metric=metric, state="no_samples", n=candidate.n)
    shares = (candidate.hits / candidate.n, baseline.hits / baseline.n)
    low, high = unpaired_interval((candidate.hits, candidate.n), (baseline.hits, baseline.n))
    return Change(
        metric=metric,
        baseline=shares[1],
        candidate=shares[0],
        difference=shares[0] - shares[1],
        low=low,
        high=high,
        n=candidate.n,
        method="newcombe",
        tallies=(candidate, baseline),
    )
