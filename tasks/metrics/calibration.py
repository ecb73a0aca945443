"""How far confidence can be trusted: a mergeable histogram of it, and what is read from that.

Two sets of bins are tallied, in integers alone, so that any split and order gives the same:

* ``WIDE`` bins of equal width, closed on the right, as in Guo et al. (2017), ICML. The index is
  exact: fifteen times a float32 is exact in float64.
* fine cells, ``PER_OCTAVE`` to every halving of the confidence below 1/2, and of its distance to
  1 above, down to 2^-24 (finer than a float32 can tell near 1). So the crowd near 1 is told apart
  as well as the rest, and no logarithm is needed: a cell is a run of float32 bit patterns.
"""

from dataclasses import dataclass
from functools import cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Rates = NDArray[np.float64]

WIDE = 15
FIXED_POINT = 1 << 32
"""Sums are kept in units of 2^-32: exact to add, and finer than a float32 loss or confidence."""

PER_OCTAVE = 64
_OCTAVES = 24
_SHIFT = 23 - 6
_LOWEST = int(np.float32(2.0**-_OCTAVES).view(np.int32)) >> _SHIFT
_HALF = int(np.float32(0.5).view(np.int32)) >> _SHIFT
_SIDE = _HALF - _LOWEST + 1
"""Cells on each side of 1/2; the last below and the first above touch there."""
FINE = 2 * _SIDE

_EXACT_ROWS = 1 << 20
"""So many confidences in fixed point add up below 2^53, where float64 still counts exactly."""


@dataclass(frozen=True, eq=False)
class Bins:
    """Predictions by confidence; merges by addition.

    Attributes:
        counts: int64 [bins].
        hits: int64 [bins]; how many of them are right.
        confidence: int64 [bins]; sums of confidences in units of 2^-32, good for 2^31 rows.
    """

    counts: Counts
    hits: Counts
    confidence: Counts

    @classmethod
    def empty(cls, bins: int) -> Self:
        return cls(*(np.zeros(bins, dtype=np.int64) for _ in range(3)))

    @classmethod
    def of(
        cls,
        index: NDArray[np.integer],
        confidence: NDArray[np.float64],
        right: NDArray[np.bool_],
        bins: int,
    ) -> Self:
        """Count rows, each with the index of its bin and its confidence in units of 2^-32."""
        both = np.bincount(2 * index + right, minlength=2 * bins).reshape(bins, 2)
        sums = np.zeros(bins, dtype=np.int64)
        for start in range(0, len(index), _EXACT_ROWS):
            part = slice(start, start + _EXACT_ROWS)
            sums += np.bincount(index[part], confidence[part], bins).astype(np.int64)
        return cls(both.sum(axis=1), both[:, 1].copy(), sums)

    def __add__(self, other: Self) -> Self:
        return type(self)(
            self.counts + other.counts,
            self.hits + other.hits,
            self.confidence + other.confidence,
        )

    @property
    def n(self) -> int:
        return int(self.counts.sum())

    @property
    def ece(self) -> float:
        """Expected calibration error: sum over bins of |hits − sum of confidences| / n.

        n of at least 1. Source: Naeini, Cooper and Hauskrecht (2015), AAAI, 2901-2907.
        """
        gaps = np.abs(self.hits * FIXED_POINT - self.confidence) / FIXED_POINT
        return float(gaps.sum() / self.n)

    def resampled(self, replicates: int, seed: int) -> "tuple[Rates, Rates, Rates]":
        """Counts, hits and sums of confidences over resamples of the n samples; n of at least 1.

        Each is float64 [replicates, bins that hold a sample]. A bin's samples keep its mean
        confidence: within a bin it hardly varies.
        """
        held = self.counts > 0
        hits, misses = self.hits[held], (self.counts - self.hits)[held]
        weights = np.concatenate([hits, misses]) / self.n
        drawn = np.random.default_rng(seed).multinomial(self.n, weights, size=replicates)
        drawn_hits, drawn_misses = np.hsplit(drawn.astype(np.float64), 2)
        counts = drawn_hits + drawn_misses
        mean = self.confidence[held] / FIXED_POINT / self.counts[held]
        return counts, drawn_hits, counts * mean

    def noise(self, replicates: int, seed: int) -> Rates:
        """What chance alone may add to ``ece``: sums over bins of |hits − expected hits| / n.

        float64 [replicates]. The accuracies are Agresti and Coull's (1998, American Statistician
        52, 119-126), two right and two wrong added: a bin of one sample is not certain.
        """
        held = self.counts > 0
        counts = self.counts[held]
        accuracy = (self.hits[held] + 2) / (counts + 4)
        shape = (replicates, len(counts))
        drawn = np.random.default_rng(seed).binomial(counts, accuracy, size=shape)
        total: Rates = np.abs(drawn - counts * accuracy).sum(axis=1) / self.n
        return total

    def joined(self, ends: NDArray[np.integer]) -> Self:
        """Coarser bins: the i-th holds the cells from the end of the one before to ``ends[i]``."""
        parts = (self.counts, self.hits, self.confidence)
        return type(self)(
            *(np.diff(np.concatenate([[0], part.cumsum()])[ends], prepend=0) for part in parts)
        )


@dataclass(frozen=True, eq=False)
class Calibration:
    """Confidence against being right, in bins of equal width and in fine cells."""

    wide: Bins
    fine: Bins

    @classmethod
    def empty(cls) -> Self:
        return cls(Bins.empty(WIDE), Bins.empty(FINE))

    @classmethod
    def of(cls, confidence: NDArray[np.float32], right: NDArray[np.bool_]) -> Self:
        """Tally predictions: the probability of the first one, and whether it is the target.

        Raises:
            ValueError: a confidence is no probability; what rounding lifts above 1 still is one.
        """
        if not ((confidence >= 0) & (confidence <= np.float32(1.001))).all():
            raise ValueError("the confidence of a prediction is not between 0 and 1")
        exact = confidence.astype(np.float64)
        # A rounding may lift a probability above 1, which no bin would hold.
        wide = np.clip(np.ceil(exact * WIDE), 1, WIDE).astype(np.int32) - 1
        # Both rise with the confidence, so their sum tells both: one pass counts for the two.
        both = Bins.of(
            fine_cells(confidence) + wide, np.rint(exact * FIXED_POINT), right, FINE + WIDE - 1
        )
        wide_ends, fine_ends = _ends_among_sums()
        return cls(both.joined(wide_ends), both.joined(fine_ends))

    def __add__(self, other: Self) -> Self:
        return type(self)(self.wide + other.wide, self.fine + other.fine)


def fine_cells(confidence: NDArray[np.float32]) -> NDArray[np.int32]:
    """The fine cell of each confidence, rising with it, 0 to ``FINE`` − 1."""
    above = confidence > np.float32(0.5)
    # 1 - c is exact for a float32 c above 1/2 (Sterbenz).
    near = np.where(above, np.maximum(np.float32(1) - confidence, np.float32(0)), confidence)
    step = np.maximum((near.view(np.int32) >> _SHIFT) - _LOWEST, 0)
    cells: NDArray[np.int32] = np.where(above, FINE - 1 - step, step)
    return cells


@cache
def _ends_among_sums() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many sums of a wide and a fine index lie below the end of each wide bin, and fine cell.

    The largest confidence of each wide bin but the last shares its fine cell with the next bin, or
    ends it; from there on the sums are one more.
    """
    borders = np.arange(1, WIDE)
    largest = (borders / WIDE).astype(np.float32)
    outside = largest.astype(np.float64) * WIDE > borders
    largest[outside] = np.nextafter(largest[outside], np.float32(0))
    wide_ends = np.append(fine_cells(largest) + borders, FINE + WIDE - 1)
    sums = np.arange(FINE + WIDE - 1)
    cells = sums - np.searchsorted(wide_ends, sums, side="right")
    fine_ends: NDArray[np.int64] = np.flatnonzero(np.diff(cells, append=FINE)) + 1
    return wide_ends, fine_ends


def equal_mass_ends(counts: Counts) -> NDArray[np.int64]:
    """How many fine cells lie below the end of each of ``WIDE`` bins of equal mass.

    Each ideal border (i n / 15 samples below it) is moved to the nearest border of a cell; borders
    that meet are one, so there are fewer bins where one cell holds more than a bin should.
    """
    below = np.concatenate([[0], counts.cumsum()])
    if not below[-1]:
        return np.zeros(0, dtype=np.int64)
    ideal = below[-1] * np.arange(1, WIDE) / WIDE
    after = np.searchsorted(below, ideal)
    nearest = np.where(ideal - below[after - 1] < below[after] - ideal, after - 1, after)
    ends: NDArray[np.int64] = np.unique(np.concatenate([nearest, [len(counts)]]))
    # Of equal borders (empty cells between) one is kept, and none at the very start.
    held: NDArray[np.int64] = ends[np.diff(below[ends], prepend=0) > 0]
    return held


def cell_floors() -> Rates:
    """The confidence from which each fine cell begins; float64 [FINE], rising, 0 first."""
    steps = np.arange(_SIDE, dtype=np.int32)
    starts = ((steps + _LOWEST) << _SHIFT).view(np.float32).astype(np.float64)
    ends = ((steps + 1 + _LOWEST) << _SHIFT).view(np.float32).astype(np.float64)
    return np.concatenate([[0.0], starts[1:], np.maximum(1 - ends[::-1], 0.5)])
