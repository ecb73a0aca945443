"""What is summed over predictions: integers only, so that any split and any order give the same."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.metrics.confusion import ConfusionMatrix
from tasks.predictions.schema import TOP_K

FIXED_POINT = 1 << 32
"""Sums of losses are kept in units of 2^-32: exact to add, and finer than a float32 loss."""

METADATA = b"nightmark.tallies"


@dataclass(frozen=True, slots=True)
class Sum:
    """The sum of finite values and of their squares, in fixed point, and how many were infinite."""

    total: int = 0
    squares: int = 0
    infinite: int = 0

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Self:
        finite = values[np.isfinite(values)]
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
        ranks: int64 [TOP_K]; how often the target had rank 0, 1, …
        nll: negative log-likelihoods, natural logarithm.
        brier: sums of squared differences between probabilities and the one-hot target.
        unlabelled: samples without a target.
        failed: labelled samples that could not be predicted.
        unscored: of n, the samples whose target was changed to one whose probability was not kept.
    """

    confusion: ConfusionMatrix
    ranks: NDArray[np.int64]
    nll: Sum
    brier: Sum
    unlabelled: int
    failed: int
    unscored: int = 0

    @classmethod
    def empty(cls, classes: int) -> Self:
        matrix = ConfusionMatrix(np.zeros((classes, classes), dtype=np.int64))
        return cls(matrix, np.zeros(TOP_K, dtype=np.int64), Sum(), Sum(), 0, 0)

    @classmethod
    def of(cls, predictions: pa.Table, classes: int) -> Self:
        """Tally rows of the predictions' schema.

        Raises:
            ValueError: a target or a prediction is not a class.
        """
        labelled = pc.is_valid(predictions["target"])
        whole = pc.is_null(predictions["error"])
        rows = predictions.filter(pc.and_(labelled, whole))
        targets = rows["target"].to_numpy()
        first = pc.list_element(rows["topk"], 0).to_numpy()
        # A target that was changed may have no known rank (then it lies beyond the first TOP_K) and
        # no known probability.
        rank = rows["target_rank"].drop_null().to_numpy()
        scored = rows.filter(pc.is_valid(rows["nll"]))
        target_prob = scored["target_prob"].to_numpy().astype(np.float64)
        brier = scored["sum_sq_prob"].to_numpy().astype(np.float64) - 2 * target_prob + 1
        return cls(
            confusion=ConfusionMatrix.of(targets, first, classes),
            ranks=np.bincount(rank[rank < TOP_K], minlength=TOP_K).astype(np.int64),
            nll=Sum.of(scored["nll"].to_numpy().astype(np.float64)),
            brier=Sum.of(brier),
            unlabelled=predictions["target"].null_count,
            failed=int(pc.sum(pc.and_(labelled, pc.invert(whole))).as_py() or 0),
            unscored=rows.num_rows - scored.num_rows,
        )

    def __add__(self, other: Self) -> Self:
        return type(self)(
            self.confusion + other.confusion,
            self.ranks + other.ranks,
            self.nll + other.nll,
            self.brier + other.brier,
            self.unlabelled + other.unlabelled,
            self.failed + other.failed,
            self.unscored + other.unscored,
        )

    @property
    def n(self) -> int:
        """Labelled samples that were predicted: the n of every overall figure."""
        return self.confusion.n

    def top(self, k: int) -> int:
        """How often the target was among the first k predictions; k of at most TOP_K."""
        if not 1 <= k <= TOP_K:
            raise ValueError(f"top-{k}: predictions are kept up to {TOP_K}")
        return int(self.ranks[:k].sum())

    def to_table(self) -> pa.Table:
        """The non-zero cells (target, prediction, count), and all else as metadata."""
        targets, predictions = np.nonzero(self.confusion.counts)
        facts = {
            "classes": self.confusion.classes,
            "ranks": self.ranks.tolist(),
            "nll": asdict(self.nll),
            "brier": asdict(self.brier),
            "unlabelled": self.unlabelled,
            "failed": self.failed,
            "unscored": self.unscored,
        }
        table = pa.table(
            {
                "target": pa.array(targets, pa.int32()),
                "prediction": pa.array(predictions, pa.int32()),
                "count": pa.array(self.confusion.counts[targets, predictions], pa.int64()),
            }
        )
        return table.replace_schema_metadata({METADATA: json.dumps(facts).encode()})

    @classmethod
    def from_table(cls, table: pa.Table) -> Self:
        """The tallies that ``to_table`` wrote. Raises KeyError if it did not."""
        facts = json.loads((table.schema.metadata or {})[METADATA])
        counts = np.zeros((facts["classes"], facts["classes"]), dtype=np.int64)
        counts[table["target"].to_numpy(), table["prediction"].to_numpy()] = table["count"]
        return cls(
            ConfusionMatrix(counts),
            np.array(facts["ranks"], dtype=np.int64),
            Sum(**facts["nll"]),
            Sum(**facts["brier"]),
            facts["unlabelled"],
            facts["failed"],
            facts.get("unscored", 0),
        )


def merge(tallies: Iterable[Tallies], classes: int) -> Tallies:
    """The sum of tallies; of none, the empty one."""
    whole = Tallies.empty(classes)
    for part in tallies:
        whole = whole + part
    return whole


def _fixed_point(values: NDArray[np.float64]) -> int:
    # Python's integers do not overflow; chunks keep the int64 sums far from their limit.
    scaled = np.rint(values * FIXED_POINT)
    if not len(scaled):
        return 0
    if scaled.max() * len(scaled) < 2**62:
        return int(scaled.astype(np.int64).sum())
    return sum(int(value) for value in scaled)
