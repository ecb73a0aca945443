"""What is summed over predictions: integers only, so that any split and any order give the same."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks.metrics.calibration import FIXED_POINT, Calibration
from tasks.metrics.confusion import ConfusionMatrix
from tasks.predictions.columns import first_of, marked, numbers

TALLIED = (
    "target",
    "topk",
    "topk_prob",
    "target_prob",
    "target_rank",
    "nll",
    "sum_sq_prob",
    "error",
)
"""The columns of predictions that are tallied; no other needs to be read."""

BATCH_ROWS = 1 << 17
"""Small shards are tallied together: a large confusion matrix costs as much as so many rows."""

BLOCK_ROWS = 1 << 16
"""Losses and confidences are summed in blocks whose steps stay in the processor's cache."""


@dataclass(frozen=True, slots=True)
class Sum:
    """The sum of finite values and of their squares, in fixed point, and how many were infinite."""

    total: int = 0
    squares: int = 0
    infinite: int = 0

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Self:
        is_finite = np.isfinite(values)
        finite = values if is_finite.all() else values[is_finite]
        return cls(
            total=_fixed_point(finite),
            squares=_fixed_point(finite**2),
            infinite=len(values) - len(finite),
        )

    def __add__(self, other: Self) -> Self:
        return type(self)(
            self.total + other.total,
            self.squares + other.squares,
            self.infinite + other.infinite,
        )


@dataclass(frozen=True, eq=False)
class Tallies:
    """Mergeable counts over predictions.

    Attributes:
        confusion: labelled samples that were predicted.
        ranks: int64 [classes]; how often the target had rank 0, 1, …
        nll: negative log-likelihoods, natural logarithm.
        brier: sums of squared differences between probabilities and the one-hot target.
        calibration: the probability of the first prediction, and whether that is right.
        unlabelled: samples without a target.
        failed: labelled samples that could not be predicted.
        unscored: of n, the samples whose target was changed to one whose probability was not kept.
    """

    confusion: ConfusionMatrix
    ranks: NDArray[np.int64]
    nll: Sum
    brier: Sum
    calibration: Calibration
    unlabelled: int
    failed: int
    unscored: int = 0

    @classmethod
    def empty(cls, classes: int) -> Self:
        matrix = ConfusionMatrix(np.zeros((classes, classes), dtype=np.int64))
        ranks = np.zeros(classes, dtype=np.int64)
        return cls(matrix, ranks, Sum(), Sum(), Calibration.empty(), 0, 0)

    @classmethod
    def of(cls, predictions: pa.Table, classes: int) -> Self:
        """Tally rows of the predictions' schema, of which the columns ``TALLIED`` are needed.

        Raises:
            ValueError: a target or a prediction is not a class, or a row has neither a prediction
                nor an error.
        """
        labelled, whole = marked(predictions["target"]), ~marked(predictions["error"])
        kept = labelled & whole
        targets = numbers(predictions["target"], kept, -1)
        first = first_of(predictions["topk"], kept)
        # A target that was changed may have no known rank (then it lies beyond the first TOP_K) and
        # no known probability.
        rank = numbers(predictions["target_rank"], kept, classes)
        nll, square, chance = (
            numbers(predictions[name], kept, np.nan)
            for name in ("nll", "sum_sq_prob", "target_prob")
        )
        confidence, right = first_of(predictions["topk_prob"], kept), first == targets
        blocks = [slice(at, at + BLOCK_ROWS) for at in range(0, len(targets), BLOCK_ROWS)]
        return cls(
            confusion=ConfusionMatrix.of(targets, first, classes),
            ranks=np.bincount(rank, minlength=classes + 1)[:classes],
            nll=sum((Sum.of(_scored(nll[at], nll[at])) for at in blocks), Sum()),
            brier=sum(
                (Sum.of(_scored(_brier(square[at], chance[at]), nll[at])) for at in blocks), Sum()
            ),
            calibration=sum(
                (Calibration.of(confidence[at], right[at]) for at in blocks), Calibration.empty()
            ),
            unlabelled=int((~labelled).sum()),
            failed=int((labelled & ~whole).sum()),
            unscored=int(np.isnan(nll).sum()),
        )

    def __add__(self, other: Self) -> Self:
        return self._joined(other, self.confusion + other.confusion)

    def absorb(self, other: Self) -> Self:
        """The sum, which takes over the matrix of the first and changes it."""
        return self._joined(other, self.confusion.absorb(other.confusion))

    def _joined(self, other: Self, confusion: ConfusionMatrix) -> Self:
        return type(self)(
            confusion,
            self.ranks + other.ranks,
            self.nll + other.nll,
            self.brier + other.brier,
            self.calibration + other.calibration,
            self.unlabelled + other.unlabelled,
            self.failed + other.failed,
            self.unscored + other.unscored,
        )

    @property
    def n(self) -> int:
        """Labelled samples that were predicted: the n of every overall figure."""
        return self.confusion.n

    @property
    def unranked(self) -> int:
        """Of n, the samples whose target was changed to one of which the rank is not known."""
        return self.n - int(self.ranks.sum())

    def top(self, k: int) -> int:
        """How often the target was among the first k predictions, as far as that is known.

        It is, up to ``TOP_K`` (``unranked`` targets lie beyond) or without any that is unranked.
        """
        if k < 1:
            raise ValueError(f"top-{k}: k is at least 1")
        return int(self.ranks[:k].sum())


def counted_targets(predictions: pa.Table) -> NDArray[np.int32]:
    """The target of each row; -1 where it has no part in the figures."""
    every = np.ones(predictions.num_rows, dtype=bool)
    targets = numbers(predictions["target"], every, -1)
    counted: NDArray[np.int32] = np.where(marked(predictions["error"]), np.int32(-1), targets)
    return counted


def merge(tallies: Iterable[Tallies], classes: int) -> Tallies:
    """The sum of tallies; of none, the empty one."""
    whole = Tallies.empty(classes)
    for part in tallies:
        whole = whole.absorb(part)
    return whole


def tally(tables: Iterable[pa.Table], classes: int) -> Tallies:
    """The tallies of all tables; small ones are tallied together, the next ones read meanwhile."""
    return merge((Tallies.of(batch, classes) for batch in ahead(batched(tables))), classes)


def ahead(batches: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """The batches in order, each made in a thread while the one before it is in use."""
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as reader:
        coming = reader.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = reader.submit(next, batches, None)
            yield batch


def batched(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The tables in order, joined until each has ``BATCH_ROWS`` rows or was alone."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        if sum(part.num_rows for part in waiting) >= BATCH_ROWS:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)


def _scored(values: NDArray[np.floating], nll: NDArray[np.float32]) -> NDArray[np.float64]:
    """The values of the samples whose loss is known."""
    known = ~np.isnan(nll)
    return (values if known.all() else values[known]).astype(np.float64, copy=False)


def _brier(square: NDArray[np.float32], chance: NDArray[np.float32]) -> NDArray[np.float64]:
    return square.astype(np.float64) - 2 * chance.astype(np.float64) + 1


def _fixed_point(values: NDArray[np.float64]) -> int:
    # Python's integers do not overflow; chunks keep the int64 sums far from their limit.
    scaled = np.rint(values * FIXED_POINT)
    if not len(scaled):
        return 0
    if scaled.max() * len(scaled) < 2**62:
        return int(scaled.astype(np.int64).sum())
    return sum(int(value) for value in scaled)
