"""One class against the rest: its precision-recall and ROC curve, exact, ties included.

Only thresholds at which a positive is gained matter for either area: between two of them precision
falls at equal recall, and ROC runs level. So a curve has as many corners as there are distinct
scores of positives, and the negatives need only be counted. Definitions agree with scikit-learn's
``average_precision_score`` and ``roc_auc_score``.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Counts = NDArray[np.int64]
POINTS = 100
"""A curve that is kept for a page has at most so many points."""

SCHEMA = pa.schema(
    [
        pa.field("class", pa.int32(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("threshold", pa.float64(), nullable=False),
        pa.field("x", pa.float64(), nullable=False),
        pa.field("y", pa.float64(), nullable=False),
    ]
)
"""``kind`` is ``precision_recall`` (x = recall, y = precision) or ``roc`` (x = share of the other
classes' samples that are taken for the class, y = recall). A sample counts as taken for the class
if its score is at least ``threshold``; ``roc`` begins above all scores, at infinity."""


@dataclass(frozen=True, eq=False)
class OneVsRest:
    """The corners of both curves of a class.

    Attributes:
        positives, negatives: samples of the class, and of the others.
        thresholds: float64 [corners]; the distinct scores of positives, falling.
        hits: int64 [corners]; positives with at least that score.
        false: int64 [corners]; negatives with at least that score.
        tied: int64 [corners]; negatives with exactly that score.
    """

    positives: int
    negatives: int
    thresholds: NDArray[np.float64]
    hits: Counts
    false: Counts
    tied: Counts

    @classmethod
    def of(cls, scores: NDArray[np.floating], positive: NDArray[np.bool_]) -> Self:
        """From one score per sample (float16 or float32, none NaN) and which are of the class."""
        exact = scores.astype(np.float32, copy=False)
        values, counts = np.unique(exact[positive], return_counts=True)
        others = np.sort(exact[~positive])
        below = np.searchsorted(others, values, side="left")
        not_above = np.searchsorted(others, values, side="right")
        return cls(
            positives=int(counts.sum()),
            negatives=len(others),
            thresholds=values[::-1].astype(np.float64),
            hits=counts[::-1].cumsum(),
            false=(len(others) - below)[::-1],
            tied=(not_above - below)[::-1],
        )

    @property
    def average_precision(self) -> float:
        """Sum over thresholds of precision times the recall gained there; needs a positive."""
        gained = np.diff(self.hits, prepend=0)
        precision = self.hits / (self.hits + self.false)
        return float((gained * precision).sum() / self.positives)

    @property
    def auroc(self) -> float:
        """The share of pairs in which the positive has the higher score, ties counting a half.

        Needs a positive and a negative. In integers until the division: exact up to 2^61 pairs.
        """
        gained = np.diff(self.hits, prepend=0)
        twice_below = 2 * (self.negatives - self.false) + self.tied
        return int((gained * twice_below).sum()) / (2 * self.positives * self.negatives)

    def points(self, index: int) -> pa.Table:
        """Both curves of class ``index``, thinned evenly in recall to ``POINTS`` rows each."""
        parts = [self._precision_recall(index)]
        if self.negatives:
            parts.append(self._roc(index))
        return pa.concat_tables(parts)

    def _precision_recall(self, index: int) -> pa.Table:
        kept = _thinned(len(self.hits))
        hits, false = self.hits[kept], self.false[kept]
        recall, precision = hits / self.positives, hits / (hits + false)
        return _rows(index, "precision_recall", self.thresholds[kept], recall, precision)

    def _roc(self, index: int) -> pa.Table:
        # Where negatives tie with positives the curve runs aslant from the corner before.
        before = np.concatenate([[0], self.hits[:-1]])
        hits = np.stack([before, self.hits], axis=1).ravel()
        false = np.stack([self.false - self.tied, self.false], axis=1).ravel()
        thresholds = np.repeat(self.thresholds, 2)
        # The first corner of a pair is just above its threshold, as a float32 can be.
        just_above = np.nextafter(self.thresholds.astype(np.float32), np.float32(np.inf))
        thresholds[::2] = just_above
        x = np.concatenate([[0.0], false / self.negatives, [1.0]])
        y = np.concatenate([[0.0], hits / self.positives, [1.0]])
        kept = _thinned(len(x))
        ends = np.concatenate([[np.inf], thresholds, [0.0]])
        return _rows(index, "roc", ends[kept], x[kept], y[kept])


def _thinned(corners: int) -> Counts:
    return np.unique(np.linspace(0, corners - 1, min(corners, POINTS)).round().astype(np.int64))


def _rows(
    index: int,
    kind: str,
    thresholds: NDArray[np.float64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
) -> pa.Table:
    n = len(x)
    columns = [pa.repeat(pa.scalar(index, pa.int32()), n), pa.repeat(kind, n), thresholds, x, y]
    return pa.table(columns, schema=SCHEMA)
