"""Rows of predictions under other targets: which label counts, and where it ranks. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shards.errors import ShardError
from tasks.predictions.columns import matrix_of
from tasks.predictions.schema import SCHEMA
from tasks.targets.overlay import OverlayCounts, TargetOverlay

UNKNOWN = np.iinfo(np.int32).max
"""The rank of a label of which only this is known: it is not among those that were kept."""

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Retargeted:
    """Rows under an overlay, and what it did to them."""

    rows: pa.Table = field(repr=False)
    counts: OverlayCounts


def retarget(
    rows: pa.Table, overlay: TargetOverlay | None, scores: Callable[[], pa.Table | None]
) -> Retargeted:
    """The rows of ``SCHEMA`` with the overlay's targets; keys that it lacks keep their own.

    Without an overlay the rows stay as they are.

    Of several acceptable labels the target is the one that the model ranks best; so rank 0 says
    that the prediction is acceptable, and a rank below k that one of the first k is.

    Rank and probability of a label among ``topk`` are exact. Of one that is not they are read from
    ``scores`` (key, probabilities), which is called only if needed. Without scores ``target_rank``,
    ``target_prob`` and ``nll`` are null, and the rank is at least the length of ``topk``; of
    several such labels the target is then the row's own one, or the lowest.

    Raises:
        ShardError: the scores are not those of the rows.
    """
    if overlay is None:
        return Retargeted(rows, OverlayCounts())
    place = pc.index_in(rows["key"], overlay.rows["key"].combine_chunks())
    named = pc.is_valid(place).to_numpy(zero_copy_only=False)
    if not named.any():
        return Retargeted(rows, OverlayCounts())
    labels = _Labels.of(rows, named, overlay.rows["labels"].take(place.drop_null()))
    beyond = labels.beyond()
    kept = scores() if beyond.any() else None
    if kept is not None:
        labels.rank_by(_matrix(kept, rows), beyond)
    return _replaced(rows, labels, named)


@dataclass
class _Labels:
    """One entry per row and label of the overlay; ``row`` ascends.

    Attributes:
        row, label: which label is acceptable in which row.
        own: whether it is the row's own target.
        rank: among the predictions, or ``UNKNOWN``.
        prob: its probability, or NaN.
        rounded: whether the probability was read from float16.
        predicted: whether the row could be predicted.
        kept: how many predictions of a row were kept.
    """

    row: Indices
    label: Indices
    own: NDArray[np.bool_]
    rank: Indices
    prob: NDArray[np.float64]
    rounded: NDArray[np.bool_]
    predicted: NDArray[np.bool_]
    kept: int

    @classmethod
    def of(cls, rows: pa.Table, named: NDArray[np.bool_], labels: pa.ChunkedArray) -> "_Labels":
        lists = labels.combine_chunks()
        row = np.flatnonzero(named)[pc.list_parent_indices(lists).to_numpy()]
        label = pc.list_flatten(lists).to_numpy().astype(np.int64)
        target = rows["target"].fill_null(-1).to_numpy()
        predicted = pc.is_null(rows["error"]).to_numpy()
        found = cls(
            row,
            label,
            own=target[row] == label,
            rank=np.full(len(row), UNKNOWN, dtype=np.int64),
            prob=np.full(len(row), np.nan),
            rounded=np.zeros(len(row), dtype=bool),
            predicted=predicted[row],
            kept=pc.max(pc.list_value_length(rows["topk"])).as_py() or 0,
        )
        found._rank_among_kept(rows, predicted)
        return found

    def _rank_among_kept(self, rows: pa.Table, predicted: NDArray[np.bool_]) -> None:
        if not self.kept:
            return
        topk = pc.list_flatten(rows["topk"]).to_numpy().reshape(-1, self.kept)
        probs = pc.list_flatten(rows["topk_prob"]).to_numpy().reshape(-1, self.kept)
        # The lists hold only rows that were predicted; others match nothing below.
        at = np.clip(np.cumsum(predicted) - 1, 0, None)[self.row]
        matches = (topk[at] == self.label[:, None]) & self.predicted[:, None]
        hit = matches.any(axis=1)
        self.rank[hit] = matches[hit].argmax(axis=1)
        self.prob[hit] = probs[at[hit], self.rank[hit]]

    def beyond(self) -> NDArray[np.bool_]:
        """The entries of predicted rows of which no label is among those that were kept."""
        known = np.zeros(int(self.row.max(initial=-1)) + 1, dtype=bool)
        known[self.row[self.rank != UNKNOWN]] = True
        return self.predicted & ~known[self.row]

    def rank_by(self, scores: NDArray[np.floating], entries: NDArray[np.bool_]) -> None:
        """Rank these entries by probabilities [rows, classes], ties to the lower class."""
        at = np.flatnonzero(entries)
        probs = scores[self.row[at]]
        label = self.label[at]
        own = probs[np.arange(len(at)), label]
        ahead = (probs > own[:, None]).sum(axis=1)
        before = np.arange(scores.shape[1])[None, :] < label[:, None]
        rank = ahead + ((probs == own[:, None]) & before).sum(axis=1)
        # Rounding may tie a label with the last of those that are known to be ahead of it.
        rank = np.maximum(rank, self.kept)
        halves = scores.dtype == np.float16
        # A float16 of 0 stands for any small probability: neither rank nor loss follow from it.
        told = ~(halves & (own == 0))
        self.rank[at[told]], self.prob[at[told]] = rank[told], own[told]
        self.rounded[at[told]] = halves

    def best(self) -> Indices:
        """The entry that counts in each row: best rank, then the row's own target, then lowest."""
        order = np.lexsort((self.label, ~self.own, self.rank, self.row))
        _, first = np.unique(self.row[order], return_index=True)
        return order[first]


def _replaced(rows: pa.Table, labels: _Labels, named: NDArray[np.bool_]) -> Retargeted:
    best = labels.best()
    at = labels.row[best]
    accepted_own = np.zeros(rows.num_rows, dtype=bool)
    accepted_own[labels.row[labels.own]] = True
    has_label = np.zeros(rows.num_rows, dtype=bool)
    has_label[at] = True
    left_out = named & ~has_label
    # A row that keeps its own target keeps the exact figures it had.
    new = ~labels.own[best]
    changed, entry = at[new], best[new]
    prob = labels.prob[entry]
    with np.errstate(divide="ignore"):
        loss = -np.log(prob)
    known = labels.rank[entry] != UNKNOWN
    columns = {
        "target": (labels.label[entry], np.ones(len(entry), dtype=bool)),
        "target_rank": (labels.rank[entry], known),
        "target_prob": (prob, known),
        "nll": (loss, known),
    }
    for name, (values, valid) in columns.items():
        rows = _set(rows, name, left_out, changed, values, valid)
    counts = OverlayCounts(
        named=int(named.sum()),
        changed=int((named & ~accepted_own & ~left_out).sum()),
        left_out=int(left_out.sum()),
        unscored=int((labels.predicted[entry] & ~known).sum()),
        rounded=int(labels.rounded[entry].sum()),
    )
    return Retargeted(rows, counts)


def _set(
    rows: pa.Table,
    name: str,
    nulls: NDArray[np.bool_],
    changed: Indices,
    values: NDArray[np.generic],
    valid: NDArray[np.bool_],
) -> pa.Table:
    kind = SCHEMA.field(name).type
    column = rows[name]
    mask = pc.is_null(column).to_numpy() | nulls
    whole = column.fill_null(0).to_numpy().copy()
    whole[changed] = np.where(valid, values, 0).astype(whole.dtype)
    mask[changed] = ~valid
    place = rows.schema.get_field_index(name)
    return rows.set_column(place, rows.schema.field(name), pa.array(whole, kind, mask=mask))


def _matrix(scores: pa.Table, rows: pa.Table) -> NDArray[np.floating]:
    """Probabilities [rows, classes] as they were kept; 0 where a row could not be predicted."""
    if not scores["key"].equals(rows["key"]):
        first = rows["key"][0].as_py()
        raise ShardError(
            f"the scores beside the predictions of {first} and those after it belong to other "
            f"samples; remove both files and run the evaluation again"
        )
    return matrix_of(scores["probabilities"])
