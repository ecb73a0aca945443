"""Top-k of slices of the samples: mergeable counts, and the metrics divided from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks.metrics.metric import Metric
from tasks.metrics.slicing import Slicing
from tasks.metrics.tallies import counted_targets
from tasks.metrics.topk import top_metrics
from tasks.predictions.columns import marked, numbers

Counts = NDArray[np.int64]
_N, _FAILED, _UNRANKED, _HITS = range(4)


@dataclass(frozen=True, eq=False)
class SliceTallies:
    """Counts per slice of each slicing; merges by addition.

    Attributes:
        top_ks: the k that are counted.
        counts: per slicing, int64 [values, 3 + ks]: samples that were predicted, that failed, of
            which the rank is not known, and whose target is among the first k.
    """

    top_ks: tuple[int, ...]
    counts: tuple[Counts, ...]

    @classmethod
    def empty(cls, slicings: Sequence[Slicing], top_ks: tuple[int, ...]) -> Self:
        shape = _HITS + len(top_ks)
        return cls(
            top_ks, tuple(np.zeros((len(s.values), shape), dtype=np.int64) for s in slicings)
        )

    @classmethod
    def of(
        cls,
        predictions: pa.Table,
        start: int,
        slicings: Sequence[Slicing],
        top_ks: tuple[int, ...],
    ) -> Self:
        """Tally rows that are the samples from ``start`` on."""
        every = np.ones(predictions.num_rows, dtype=bool)
        targets = numbers(predictions["target"], every, -1)
        predicted = counted_targets(predictions) >= 0
        unknown = np.iinfo(np.int32).max
        rank = numbers(predictions["target_rank"], every, unknown)
        columns = [
            predicted,
            (targets >= 0) & marked(predictions["error"]),
            predicted & (rank == unknown),
            *(predicted & (rank < k) for k in top_ks),
        ]
        return cls(top_ks, tuple(_count(s, start, targets, columns) for s in slicings))

    def __add__(self, other: Self) -> Self:
        return type(self)(
            self.top_ks, tuple(a + b for a, b in zip(self.counts, other.counts, strict=True))
        )


def slice_metrics(slicings: Sequence[Slicing], tallies: SliceTallies) -> tuple[Metric, ...]:
    """Top-k of each slice, by slicing, then value; too small ones are named with their n."""
    found: list[Metric] = []
    for slicing, counts in zip(slicings, tallies.counts, strict=True):
        for name, row in zip(slicing.names, counts.tolist(), strict=True):
            n, failed, unranked = row[_N], row[_FAILED], row[_UNRANKED]
            if n < slicing.min_size:
                found += [
                    Metric.undefined(f"top{k}", "too_small", n, slice_name=name)
                    for k in tallies.top_ks
                ]
                continue
            hits = dict(zip(tallies.top_ks, row[_HITS:], strict=True))
            found += top_metrics(hits, n, failed, unranked=unranked, slice_name=name)
    return tuple(found)


def _count(
    slicing: Slicing,
    start: int,
    targets: NDArray[np.int32],
    columns: Sequence[NDArray[np.bool_]],
) -> Counts:
    size = len(slicing.values)
    if slicing.groups is None:
        codes = slicing.codes[start : start + len(targets)]
        counts = [np.bincount(codes[column], minlength=size) for column in columns]
        return np.stack(counts, axis=1)
    # A class may be of several groups, and of none.
    labelled = targets >= 0
    rows = [
        [
            int((column & labelled & member[np.where(labelled, targets, 0)]).sum())
            for column in columns
        ]
        for member in slicing.groups
    ]
    return np.array(rows, dtype=np.int64).reshape(size, len(columns))
