"""One class against the rest: what a threshold on its probability finds, and what it costs.

The rule that is measured: an image is called the class if its probability reaches the threshold;
otherwise it is called the most probable of the other classes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from tasks.metrics.intervals import CONFIDENCE, wilson
from tasks.metrics.words import figure


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Wanted(_Frozen):
    """What a threshold shall reach."""

    metric: Literal["recall", "precision"]
    value: float = Field(gt=0, le=1)
    proven: bool = Field(
        default=False, description="Whether the lower end of the interval must reach it."
    )
    confidence: float = Field(default=CONFIDENCE, gt=0, lt=1)

    def __str__(self) -> str:
        """``recall of at least 90.0 %``."""
        return f"{self.metric} of at least {figure(self.metric, self.value)}"

    def is_reached(self, hits: int, n: int) -> bool:
        """By ``hits`` of ``n``; of nothing it is not."""
        if n == 0:
            return False
        return (wilson(hits, n, self.confidence)[0] if self.proven else hits / n) >= self.value


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """What a threshold finds: ``hits`` images of the class among ``called``."""

    threshold: float
    hits: int
    called: int


class Share(_Frozen):
    """``hits`` of ``n`` with Wilson's interval; of nothing there is no share."""

    hits: int = Field(ge=0)
    n: int = Field(ge=0)
    value: float | None
    low: float | None
    high: float | None

    @classmethod
    def of(cls, hits: int, n: int, confidence: float) -> Self:
        if n == 0:
            return cls(hits=hits, n=n, value=None, low=None, high=None)
        low, high = wilson(hits, n, confidence)
        return cls(hits=hits, n=n, value=hits / n, low=low, high=high)


class AtThreshold(_Frozen):
    """The classifier with the threshold, against the model's own first predictions."""

    confidence: float = Field(description="Of the intervals.")
    recall: Share = Field(description="Of the images of the class, those that are called it.")
    precision: Share = Field(description="Of the images that are called the class, those of it.")
    own_recall: Share
    own_precision: Share
    false_alarms: int = Field(description="Images of other classes that are called the class.")
    new_false_alarms: int = Field(description="Of those, the ones that the model got otherwise.")
    top1: Share
    own_top1: Share
    fixed: int = Field(description="Images that are right only with the threshold.")
    broken: int = Field(description="Images that are right only without it.")


@dataclass(frozen=True, eq=False)
class ClassScores:
    """Labelled samples that were predicted, seen from one class.

    Attributes:
        class_index: the class.
        score: float64 [n]; its probability.
        positive: bool [n]; the target is the class.
        called: bool [n]; the model's first prediction is the class.
        right: bool [n]; the model's first prediction is the target.
        right_otherwise: bool [n]; the most probable of the other classes is the target.
        rounded: whether the probabilities were kept as float16, to about three digits.
    """

    class_index: int
    score: NDArray[np.float64]
    positive: NDArray[np.bool_]
    called: NDArray[np.bool_]
    right: NDArray[np.bool_]
    right_otherwise: NDArray[np.bool_]
    rounded: bool = False

    @classmethod
    def of(cls, rows: pa.Table, scores: pa.Table, class_index: int) -> Self:
        """From rows of predictions and the full probabilities (key, probabilities) beside them."""
        kept = pc.and_(pc.is_valid(rows["target"]), pc.is_null(rows["error"]))
        rows = rows.filter(kept)
        target = rows["target"].to_numpy()
        first = pc.list_element(rows["topk"], 0).to_numpy() if len(target) else target
        several = len(target) and len(rows["topk"][0]) > 1
        second = pc.list_element(rows["topk"], 1).to_numpy() if several else np.full_like(first, -1)
        chances = scores["probabilities"].filter(kept)
        score = pc.list_element(chances, class_index).to_numpy() if len(target) else target
        called = first == class_index
        return cls(
            class_index,
            score.astype(np.float64),
            target == class_index,
            called,
            first == target,
            np.where(called, second, first) == target,
            rounded=pa.types.is_float16(chances.type.value_type),
        )

    @classmethod
    def joined(cls, parts: Sequence["ClassScores"]) -> "ClassScores":
        """The samples of all parts, of which there is at least one, all of the same class."""
        first = parts[0]
        return cls(
            first.class_index,
            np.concatenate([part.score for part in parts]),
            np.concatenate([part.positive for part in parts]),
            np.concatenate([part.called for part in parts]),
            np.concatenate([part.right for part in parts]),
            np.concatenate([part.right_otherwise for part in parts]),
            first.rounded,
        )

    @property
    def support(self) -> int:
        """Samples of the class."""
        return int(self.positive.sum())

    def curve(self) -> Iterator[CurvePoint]:
        """The points of the precision-recall curve at which recall rises, highest threshold first.

        Any other threshold has the recall of one of these, and a lower precision.
        """
        order = np.argsort(-self.score, kind="stable")
        score = self.score[order]
        last = np.flatnonzero(np.append(score[1:] != score[:-1], [True] * bool(len(score))))
        hits = np.cumsum(self.positive[order])[last]
        for place in np.flatnonzero(np.diff(hits, prepend=0)):
            yield CurvePoint(
                threshold=float(score[last[place]]),
                hits=int(hits[place]),
                called=int(last[place]) + 1,
            )

    def at(self, threshold: float, confidence: float = CONFIDENCE) -> AtThreshold:
        """What a threshold makes of the samples."""
        called = self.score >= threshold
        right = np.where(called, self.positive, self.right_otherwise)
        false = called & ~self.positive
        every = np.ones(len(called), dtype=bool)

        def share(part: NDArray[np.bool_], whole: NDArray[np.bool_]) -> Share:
            return Share.of(int((part & whole).sum()), int(whole.sum()), confidence)

        return AtThreshold(
            confidence=confidence,
            recall=share(called, self.positive),
            precision=share(self.positive, called),
            own_recall=share(self.called, self.positive),
            own_precision=share(self.positive, self.called),
            false_alarms=int(false.sum()),
            new_false_alarms=int((false & ~self.called).sum()),
            top1=share(right, every),
            own_top1=share(self.right, every),
            fixed=int((right & ~self.right).sum()),
            broken=int((self.right & ~right).sum()),
        )


def choose(curve: Sequence[CurvePoint], support: int, wanted: Wanted) -> CurvePoint | None:
    """Of the points that reach what is wanted the one with the best other value, or None.

    A recall is reached with the highest precision, a precision with the highest recall; of equally
    good ones with more hits.
    """
    if wanted.metric == "recall":
        reaching = [point for point in curve if wanted.is_reached(point.hits, support)]
        return max(
            reaching, key=lambda point: (point.hits / point.called, point.hits), default=None
        )
    reaching = [point for point in curve if wanted.is_reached(point.hits, point.called)]
    return reaching[-1] if reaching else None
