"""What was ranked of a shard's images → rows of predictions. The one Arrow schema."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks.models.spec import Output
from tasks.predictions.ranking import KEPT_CLASSES, NUMPY, Ranked, rank, score_precision

OUTPUTS = b"nightmark.outputs"
"""In the file's metadata: how many classes the model scored, which the rows alone do not tell."""

SCHEMA = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("index", pa.int32(), nullable=False),
        pa.field("target", pa.int32()),
        pa.field("topk", pa.list_(pa.int32())),
        pa.field("topk_prob", pa.list_(pa.float32())),
        pa.field("target_prob", pa.float32()),
        pa.field("target_rank", pa.int32()),
        pa.field("nll", pa.float32()),
        pa.field("sum_sq_prob", pa.float32()),
        pa.field("error", pa.string()),
    ]
)


SCORE_COLUMNS = ("key", "probabilities")


@dataclass(frozen=True)
class Asked:
    """The samples of a shard, in their order, and which of them could not be predicted.

    Attributes:
        keys: one per sample.
        targets: class index, or None where unlabelled.
        errors: a sentence where the sample could not be predicted, else None.
        classes: how many there are.
    """

    keys: Sequence[str]
    targets: Sequence[int | None]
    errors: Sequence[str | None]
    classes: int

    def __post_init__(self) -> None:
        lengths = {len(self.keys), len(self.targets), len(self.errors)}
        if len(lengths) != 1:
            raise ValueError(f"columns of unequal length: {sorted(lengths)}")
        for key, target in zip(self.keys, self.targets, strict=True):
            if target is not None and not 0 <= target < self.classes:
                raise ValueError(f"target {target} of {key} is none of {self.classes} classes")

    @cached_property
    def good(self) -> NDArray[np.bool_]:
        """Which samples have scores."""
        return np.array([error is None for error in self.errors], dtype=bool)

    @cached_property
    def target_column(self) -> NDArray[np.int64]:
        """−1 where unlabelled."""
        return np.array([-1 if t is None else t for t in self.targets], dtype=np.int64)


@dataclass(frozen=True)
class Scored:
    """What a model said of the samples of one shard, in their order.

    Attributes:
        keys, targets, errors: as in ``Asked``.
        scores: [n, classes] as ``output`` declares, ranked as float32; rows of failed samples are
            ignored.
    """

    keys: Sequence[str]
    targets: Sequence[int | None]
    scores: NDArray[np.floating]
    errors: Sequence[str | None]
    output: Output

    def __post_init__(self) -> None:
        if self.scores.ndim != 2 or len(self.scores) != len(self.asked.keys):
            raise ValueError(
                f"columns of unequal length: {len(self.keys)} samples, scores of shape "
                f"{self.scores.shape}"
            )

    @cached_property
    def asked(self) -> Asked:
        return Asked(self.keys, self.targets, self.errors, self.scores.shape[-1])

    @cached_property
    def ranked(self) -> Ranked:
        """Of the samples without an error."""
        good = self.asked.good
        scores = self.scores[good].astype(np.float32, copy=False)
        return rank(NUMPY, scores, self.asked.target_column[good], self.output)


def prediction_rows(scored: Scored) -> pa.Table:
    """The rows of ``SCHEMA``. Equal scores rank by class index, the lower one first."""
    return ranked_rows(scored.asked, scored.ranked)


def ranked_rows(asked: Asked, ranked: Ranked) -> pa.Table:
    """The rows of ``SCHEMA``; ``ranked`` has NumPy arrays of the samples without an error."""
    good, targets = asked.good, asked.target_column
    labelled = good & (targets >= 0)
    return pa.table(
        {
            "key": pa.array(asked.keys, pa.string()),
            "index": pa.array(np.arange(len(good)), pa.int32()),
            "target": pa.array(targets, pa.int32(), mask=targets < 0),
            "topk": _lists(ranked.topk, good, pa.int32()),
            "topk_prob": _lists(ranked.topk_prob, good, pa.float32()),
            "target_prob": _column(ranked.target_prob, good, labelled),
            "target_rank": _column(ranked.target_rank, good, labelled),
            "nll": _column(ranked.nll, good, labelled),
            "sum_sq_prob": _column(ranked.sum_sq_prob, good, good),
            "error": pa.array(asked.errors, pa.string()),
        },
        schema=SCHEMA.with_metadata({OUTPUTS: str(asked.classes)}),
    )


def outputs_of(predictions: pa.Table) -> int | None:
    """How many classes were scored, or None where the table does not say."""
    said = (predictions.schema.metadata or {}).get(OUTPUTS)
    return None if said is None else int(said)


def score_rows(scored: Scored) -> pa.Table | None:
    """All probabilities, float32 up to 100 classes and float16 up to 1,000; none above."""
    return ranked_scores(scored.asked, scored.ranked)


def ranked_scores(asked: Asked, ranked: Ranked) -> pa.Table | None:
    """As ``score_rows``; ``ranked`` has NumPy arrays of the samples without an error."""
    if asked.classes > KEPT_CLASSES:
        return None
    kind = pa.from_numpy_dtype(score_precision(asked.classes))
    keys = pa.array(asked.keys, pa.string())
    return pa.table([keys, _lists(ranked.probabilities, asked.good, kind)], SCORE_COLUMNS)


def _column(
    values: NDArray[np.generic], good: NDArray[np.bool_], valid: NDArray[np.bool_]
) -> pa.Array:
    """The values of the good rows among all rows; null where they are not valid."""
    whole = np.zeros(len(good), dtype=values.dtype)
    whole[good] = values
    return pa.array(whole, mask=~valid)


def _lists(values: NDArray[np.generic], good: NDArray[np.bool_], kind: pa.DataType) -> pa.Array:
    """The rows of ``values`` as lists, in the good rows among all rows; null in the others."""
    if not len(good):
        return pa.array([], pa.list_(kind))
    lengths = np.where(good, values.shape[1], 0)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
    return pa.ListArray.from_arrays(offsets, pa.array(values.ravel(), kind), mask=pa.array(~good))
