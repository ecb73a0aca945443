"""Scores of a model → rows of predictions. The one Arrow schema, and the one place that ranks."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks.models.spec import Output

TOP_K = 5
FULL_PRECISION_CLASSES = 100
KEPT_CLASSES = 1_000
SORTED_CLASSES = 64
"""Up to so many a full sort is as fast as a selection."""
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


@dataclass(frozen=True)
class Scored:
    """What a model said of the samples of one shard, in their order.

    Attributes:
        keys: one per sample.
        targets: class index, or None where unlabelled.
        scores: float32 [n, classes] as ``output`` declares; rows of failed samples are ignored.
        errors: a sentence where the sample could not be predicted, else None.
    """

    keys: Sequence[str]
    targets: Sequence[int | None]
    scores: NDArray[np.float32]
    errors: Sequence[str | None]
    output: Output

    def __post_init__(self) -> None:
        lengths = {len(self.keys), len(self.targets), len(self.scores), len(self.errors)}
        if len(lengths) != 1 or self.scores.ndim != 2:
            raise ValueError(f"columns of unequal length: {sorted(lengths)}")
        classes = self.scores.shape[1]
        for key, target in zip(self.keys, self.targets, strict=True):
            if target is not None and not 0 <= target < classes:
                raise ValueError(f"target {target} of {key} is none of {classes} classes")

    @cached_property
    def whole_scores(self) -> NDArray[np.float32]:
        """The scores; failed rows, which carry arbitrary numbers, are even: they become null."""
        good = np.array([error is None for error in self.errors], dtype=bool)
        even = np.float32(1 / max(self.scores.shape[1], 1))
        return self.scores if good.all() else np.where(good[:, None], self.scores, even)

    @cached_property
    def logs(self) -> NDArray[np.float64]:
        """The log probabilities of ``whole_scores``."""
        return log_probabilities(self.whole_scores, self.output)


def log_probabilities(scores: NDArray[np.float32], output: Output) -> NDArray[np.float64]:
    """float64 [n, classes]; a probability of 0 becomes −inf."""
    exact = scores.astype(np.float64)
    match output:
        case "logits":
            exact -= exact.max(axis=1, keepdims=True, initial=-np.inf)
            shifted: NDArray[np.float64] = exact - np.log(np.exp(exact).sum(axis=1, keepdims=True))
            return shifted
        case "probabilities":
            with np.errstate(divide="ignore"):
                return np.log(exact)
        case "log_probabilities":
            return exact


def check_output(scores: NDArray[np.float32], output: Output) -> str | None:
    """Why ``scores`` cannot be what ``output`` declares, or None."""
    if np.isnan(scores).any() or (scores == np.inf).any():
        return "the model returned NaN or infinity"
    if scores.shape[1] and np.isneginf(scores).all(axis=1).any():
        return "the model returned nothing but -infinity for an image"
    sums = scores.astype(np.float64).sum(axis=1)
    spread = bool(((scores >= 0) & (scores <= 1)).all())
    like_probabilities = spread and bool(np.allclose(sums, 1, atol=1e-3))
    # Logits of few classes and images may come near a sum of 1 by chance, but not so near.
    surely_probabilities = spread and bool(np.allclose(sums, 1, atol=1e-6))
    if output == "probabilities" and not like_probabilities:
        return "declared probabilities, but its outputs are not between 0 and 1 with sum 1"
    if output == "log_probabilities" and not np.allclose(
        np.exp(scores.astype(np.float64)).sum(axis=1), 1, atol=1e-3
    ):
        return "declared log_probabilities, but their exponentials do not sum to 1"
    if output == "logits" and surely_probabilities and len(scores) and scores.shape[1] > 1:
        return "declared logits, but its outputs are probabilities (between 0 and 1 with sum 1)"
    return None


def prediction_rows(scored: Scored) -> pa.Table:
    """The rows of ``SCHEMA``. Equal scores rank by class index, the lower one first."""
    good = np.array([error is None for error in scored.errors], dtype=bool)
    labelled = good & np.array([target is not None for target in scored.targets], dtype=bool)
    targets = np.array([-1 if t is None else t for t in scored.targets], dtype=np.int32)
    classes = scored.scores.shape[1]
    scores = scored.whole_scores
    logs = scored.logs
    probabilities = np.exp(logs)
    k = min(TOP_K, classes)
    topk = _best(scores, k)
    rows = np.arange(len(scores))
    safe_targets = np.clip(targets, 0, None)
    target_scores = scores[rows, safe_targets][:, None]
    ahead = (scores > target_scores).sum(axis=1)
    tied_before = (
        (scores == target_scores) & (np.arange(classes)[None, :] < safe_targets[:, None])
    ).sum(axis=1)
    return pa.table(
        {
            "key": pa.array(scored.keys, pa.string()),
            "index": pa.array(rows, pa.int32()),
            "target": pa.array(targets, pa.int32(), mask=targets < 0),
            "topk": _lists(topk, good, pa.int32()),
            "topk_prob": _lists(
                np.take_along_axis(probabilities, topk, axis=1), good, pa.float32()
            ),
            "target_prob": _column(probabilities[rows, safe_targets], labelled, pa.float32()),
            "target_rank": _column(ahead + tied_before, labelled, pa.int32()),
            "nll": _column(-logs[rows, safe_targets], labelled, pa.float32()),
            "sum_sq_prob": _column((probabilities**2).sum(axis=1), good, pa.float32()),
            "error": pa.array(scored.errors, pa.string()),
        },
        schema=SCHEMA.with_metadata({OUTPUTS: str(classes)}),
    )


def _best(scores: NDArray[np.float32], k: int) -> NDArray[np.int32]:
    """The k best classes of each row, best first; equal scores by class index, the lower first.

    Scores and class indices together make integers without ties, so that a selection without a
    full sort has one answer. Adding 0 makes −0 and 0 alike, as they are in a comparison.
    """
    if scores.shape[1] <= SORTED_CLASSES:
        return np.argsort(-scores, axis=1, kind="stable")[:, :k].astype(np.int32)
    classes = scores.shape[1]
    bits = (scores + np.float32(0)).view(np.int32).astype(np.int64)
    rising = np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)
    falling = -(rising << 32) + np.arange(classes)
    chosen = np.argpartition(falling, k - 1, axis=1)[:, :k]
    order = np.argsort(np.take_along_axis(falling, chosen, axis=1), axis=1)
    return np.take_along_axis(chosen, order, axis=1).astype(np.int32)


def outputs_of(predictions: pa.Table) -> int | None:
    """How many classes were scored, or None where the table does not say."""
    said = (predictions.schema.metadata or {}).get(OUTPUTS)
    return None if said is None else int(said)


def score_precision(classes: int) -> Literal["float16", "float32"]:
    """In which probabilities of so many classes are kept."""
    return "float32" if classes <= FULL_PRECISION_CLASSES else "float16"


def score_rows(scored: Scored) -> pa.Table | None:
    """All probabilities, float32 up to 100 classes and float16 up to 1,000; none above."""
    classes = scored.scores.shape[1]
    if classes > KEPT_CLASSES:
        return None
    width = pa.from_numpy_dtype(score_precision(classes))
    good = np.array([error is None for error in scored.errors], dtype=bool)
    probabilities = np.exp(scored.logs)
    keys = pa.array(scored.keys, pa.string())
    return pa.table({"key": keys, "probabilities": _lists(probabilities, good, width)})


def _column(values: NDArray[np.generic], valid: NDArray[np.bool_], kind: pa.DataType) -> pa.Array:
    return pa.array(values.astype(kind.to_pandas_dtype()), kind, mask=~valid)


def _lists(values: NDArray[np.generic], valid: NDArray[np.bool_], kind: pa.DataType) -> pa.Array:
    rows, width = values.shape
    kept = pa.array(values[valid].astype(kind.to_pandas_dtype()).ravel(), kind)
    lengths = np.where(valid, width, 0)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
    return (
        pa.ListArray.from_arrays(offsets, kept, mask=pa.array(~valid))
        if rows
        else pa.array([], pa.list_(kind))
    )
