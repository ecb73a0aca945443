"""Scores → what is kept of each image. The one place that ranks, on whatever device scores lie.

Written in what NumPy and torch call alike; ``Arrays`` has the rest. So a device ranks by the same
lines as the CPU, and no more than a few numbers of each image must come back from it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from tasks.models.spec import Output

TOP_K = 5
FULL_PRECISION_CLASSES = 100
KEPT_CLASSES = 1_000
SORTED_CLASSES = 64
"""Up to so many a full sort is as fast as a selection."""

Array = Any
"""A NumPy array, or a tensor on any device."""
Kind = Literal["int32", "int64", "float16", "float32", "float64"]


class Arrays(Protocol):
    """What NumPy and torch call differently."""

    @property
    def library(self) -> Any:
        """The module: ``exp``, ``log``, ``where``, ``amax``, ``amin``, ``arange``."""

    def cast(self, values: Array, kind: Kind) -> Array:
        """A copy of the values as another kind of number."""

    def numbers_to(self, count: int, like: Array) -> Array:
        """int64 0 … count − 1, where ``like`` lies."""

    def bits(self, values: Array) -> Array:
        """The bits of float32 as int32."""

    def best(self, keys: Array, k: int) -> Array:
        """int64 [n, k]: where the k least of each row stand, the least first.

        No two keys of a row are equal.
        """

    def take(self, values: Array, places: Array) -> Array:
        """``values[i, places[i, j]]``."""


@dataclass(frozen=True)
class Ranked:
    """What is kept of the scores of n images, in their order.

    Attributes:
        topk: int32 [n, k], the best classes, best first.
        topk_prob: float32 [n, k].
        target_prob, nll: float32 [n]; arbitrary where there is no target.
        target_rank: int32 [n], 0 = best; arbitrary where there is no target.
        sum_sq_prob: float32 [n].
        probabilities: float32 up to 100 classes, float16 up to 1,000 [n, classes]; else [n, 0].
        low, high: float32 [n], the least and the greatest score; NaN where a score is.
        total: float64 [n], the sum of the scores; of log probabilities that of their exponentials.
    """

    topk: Array
    topk_prob: Array
    target_prob: Array
    nll: Array
    target_rank: Array
    sum_sq_prob: Array
    probabilities: Array
    low: Array
    high: Array
    total: Array

    def mapped(self, change: Callable[[Array], Array]) -> "Ranked":
        """Every column changed in the same way: copied, moved, cut."""
        return replace(self, **{f.name: change(getattr(self, f.name)) for f in fields(self)})

    @classmethod
    def joined(cls, parts: Sequence["Ranked"]) -> "Ranked":
        """Parts of NumPy arrays, one behind the other."""
        columns = {
            f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)
        }
        return cls(**columns)


@dataclass(frozen=True)
class NumpyArrays:
    """Scores in memory."""

    library: Any = np

    def cast(self, values: Array, kind: Kind) -> Array:
        return values.astype(kind)

    def numbers_to(self, count: int, like: Array) -> Array:  # noqa: ARG002 (memory is one place)
        return np.arange(count)

    def bits(self, values: Array) -> Array:
        return values.view(np.int32)

    def best(self, keys: Array, k: int) -> Array:
        if keys.shape[1] <= SORTED_CLASSES:
            return np.argsort(keys, axis=1)[:, :k]
        chosen = np.argpartition(keys, k - 1, axis=1)[:, :k]
        order = np.argsort(self.take(keys, chosen), axis=1)
        return self.take(chosen, order)

    def take(self, values: Array, places: Array) -> Array:
        return np.take_along_axis(values, places, axis=1)


NUMPY = NumpyArrays()


def rank(arrays: Arrays, scores: Array, targets: Array, output: Output) -> Ranked:
    """What is kept of float32 scores [n, classes] and int64 targets [n], −1 where there is none.

    Equal scores rank by class index, the lower one first. Scores that are not what ``output``
    declares give arbitrary numbers, and a ``low``, ``high`` or ``total`` that tells.
    """
    library, classes = arrays.library, scores.shape[1]
    with np.errstate(all="ignore"):
        logs = log_probabilities(scores, output, arrays)
        probabilities = library.exp(logs)
        keys = _ranking_keys(arrays, scores)
        topk = arrays.best(keys, min(TOP_K, classes))
        wanted = library.where(targets < 0, 0, targets)[:, None]
        narrow: Kind = score_precision(classes)
        kept = probabilities if classes <= KEPT_CLASSES else probabilities[:, :0]
        low, high, total = _extent(arrays, scores, output)
        return Ranked(
            topk=arrays.cast(topk, "int32"),
            topk_prob=arrays.cast(arrays.take(probabilities, topk), "float32"),
            target_prob=arrays.cast(arrays.take(probabilities, wanted)[:, 0], "float32"),
            nll=arrays.cast(-arrays.take(logs, wanted)[:, 0], "float32"),
            target_rank=arrays.cast((keys < arrays.take(keys, wanted)).sum(axis=1), "int32"),
            sum_sq_prob=arrays.cast((probabilities**2).sum(axis=1), "float32"),
            probabilities=arrays.cast(kept, narrow),
            low=low,
            high=high,
            total=total,
        )


def log_probabilities(scores: Array, output: Output, arrays: Arrays = NUMPY) -> Array:
    """float64 [n, classes]; a probability of 0 becomes −inf."""
    library, exact = arrays.library, arrays.cast(scores, "float64")
    match output:
        case "logits":
            exact -= library.amax(exact, axis=1)[:, None]
            exact -= library.log(library.exp(exact).sum(axis=1))[:, None]
            return exact
        case "probabilities":
            return library.log(exact)
        case "log_probabilities":
            return exact


def _ranking_keys(arrays: Arrays, scores: Array) -> Array:
    """int64 [n, classes], all different in a row, the best class the least: by score, and among
    equals by class index.

    The bits of positive floats rise with them, those of negative ones fall. Adding 0 makes −0 and
    0 alike, as they are in a comparison.
    """
    bits = arrays.cast(arrays.bits(scores + 0), "int64")
    rising = arrays.library.where(bits < 0, -(bits & 0x7FFFFFFF), bits)
    return arrays.numbers_to(scores.shape[1], scores) - (rising << 32)


def score_precision(classes: int) -> Literal["float16", "float32"]:
    """In which probabilities of so many classes are kept."""
    return "float32" if classes <= FULL_PRECISION_CLASSES else "float16"


def _extent(arrays: Arrays, scores: Array, output: Output) -> tuple[Array, Array, Array]:
    """``low``, ``high`` and ``total`` of ``Ranked``."""
    library, exact = arrays.library, arrays.cast(scores, "float64")
    summed = library.exp(exact) if output == "log_probabilities" else exact
    return library.amin(scores, axis=1), library.amax(scores, axis=1), summed.sum(axis=1)


def check_ranked(ranked: Ranked, output: Output) -> str | None:
    """Why scores, ranked into NumPy arrays, cannot be what ``output`` declares, or None."""
    extent = (ranked.low, ranked.high, ranked.total)
    return _fault(*extent, output, one_class=ranked.topk.shape[1] == 1)


def check_output(scores: NDArray[np.floating], output: Output) -> str | None:
    """Why scores [n, classes] cannot be what ``output`` declares, or None."""
    with np.errstate(all="ignore"):
        extent = _extent(NUMPY, scores, output)
    return _fault(*extent, output, one_class=scores.shape[1] == 1)


def _fault(low: Array, high: Array, total: Array, output: Output, *, one_class: bool) -> str | None:
    if np.isnan(high).any() or (high == np.inf).any():
        return "the model returned NaN or infinity"
    if np.isneginf(high).any():
        return "the model returned nothing but -infinity for an image"
    spread = bool(((low >= 0) & (high <= 1)).all())
    # Logits of few classes and images may come near a sum of 1 by chance, but not so near.
    near, very_near = (bool(np.allclose(total, 1, atol=most)) for most in (1e-3, 1e-6))
    if output == "probabilities" and not (spread and near):
        return "declared probabilities, but its outputs are not between 0 and 1 with sum 1"
    if output == "log_probabilities" and not near:
        return "declared log_probabilities, but their exponentials do not sum to 1"
    if output == "logits" and spread and very_near and len(total) and not one_class:
        return "declared logits, but its outputs are probabilities (between 0 and 1 with sum 1)"
    return None
