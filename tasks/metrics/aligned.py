"""Prediction rows of two evaluations, side by side: the samples that both of them have."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
MatchedBy = Literal["images", "sha256", "key"]
"""How samples were found to be common: the images digests are equal; else by key and the image's
SHA-256, or by key alone where the shards are gone."""

CHANGED = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("change", pa.string(), nullable=False),
        pa.field("target", pa.int32(), nullable=False),
        pa.field("baseline_prediction", pa.int32(), nullable=False),
        pa.field("baseline_confidence", pa.float32(), nullable=False),
        pa.field("candidate_prediction", pa.int32(), nullable=False),
        pa.field("candidate_confidence", pa.float32(), nullable=False),
    ]
)
"""``change`` is ``fixed`` or ``broken``."""


@dataclass(frozen=True, eq=False)
class AlignedRows:
    """Rows of the predictions' schema: the same samples in the same order on both sides.

    Attributes:
        baseline: of the common samples.
        candidate: of the same samples; its targets are those that count.
        only_baseline: samples that the candidate does not have.
        only_candidate: samples that the baseline does not have.
        several: which common samples have several acceptable labels, so that each side's target is
            the one of them that it ranks best.
    """

    baseline: pa.Table
    candidate: pa.Table
    only_baseline: int
    only_candidate: int
    several: Bools

    @property
    def common(self) -> int:
        return len(self.candidate)

    @property
    def predicted(self) -> Bools:
        """Which common samples both models could predict."""
        return _whole(self.baseline) & _whole(self.candidate)

    @property
    def labelled(self) -> Bools:
        return _valid(self.candidate["target"])

    @property
    def retargeted(self) -> Bools:
        """Which labelled samples the baseline was measured on under another target, or none."""
        other: Bools = _targets(self.candidate) != _targets(self.baseline)
        return self.labelled & other & ~self.several

    def right(self, k: int) -> tuple[Bools, Bools]:
        """Who has the target among the first k predictions: the baseline, the candidate.

        All rows must be labelled and predicted by both. The candidate's targets count.
        """
        ours, theirs = _targets(self.candidate), _targets(self.baseline)
        theirs = np.where(self.several, theirs, ours)
        return right(self.baseline, theirs, k), right(self.candidate, ours, k)

    def kept(self, mask: Bools) -> "AlignedRows":
        """The samples of the mask only."""
        chosen = pa.array(mask)
        return AlignedRows(
            self.baseline.filter(chosen),
            self.candidate.filter(chosen),
            self.only_baseline,
            self.only_candidate,
            self.several[mask],
        )


def align(
    baseline: pa.Table,
    candidate: pa.Table,
    digests: tuple[pa.Table, pa.Table] | None = None,
    several: pa.Array | None = None,
) -> AlignedRows:
    """The rows that stand for the same sample, in the candidate's order.

    ``digests`` are tables (key, sha256) of both; with them a sample is common only if its image is.
    ``several`` are the keys that have several acceptable labels.
    """
    if baseline["key"].equals(candidate["key"]) and digests is None:
        return AlignedRows(baseline, candidate, 0, 0, _among(candidate, several))
    place = pc.index_in(candidate["key"], value_set=baseline["key"].combine_chunks())
    common = _valid(place)
    if digests is not None:
        ours, theirs = (
            _digest_of(rows["key"], known)
            for rows, known in ((candidate, digests[1]), (baseline, digests[0]))
        )
        safe = place.fill_null(0).to_numpy()
        common = common & np.asarray(ours == theirs[safe]) if len(theirs) else common
    places = pa.array(place.to_numpy()[common].astype(np.int64))
    ours = candidate.filter(pa.array(common))
    return AlignedRows(
        baseline=baseline.take(places),
        candidate=ours,
        only_baseline=len(baseline) - int(common.sum()),
        only_candidate=len(candidate) - int(common.sum()),
        several=_among(ours, several),
    )


def right(rows: pa.Table, targets: NDArray[np.int64], k: int) -> Bools:
    """Whether the target is among the first k predictions; every row must have been predicted."""
    if not len(rows):
        return np.zeros(0, dtype=bool)
    ranked = pc.list_flatten(rows["topk"]).to_numpy().reshape(len(rows), -1)
    found: Bools = (ranked[:, :k] == targets[:, None]).any(axis=1)
    return found


def first(rows: pa.Table) -> NDArray[np.int64]:
    """The class predicted first; every row must have been predicted."""
    predicted: NDArray[np.int64] = pc.list_element(rows["topk"], 0).to_numpy().astype(np.int64)
    return predicted


def changed_rows(rows: AlignedRows) -> pa.Table:
    """The samples that one model has right and the other has not, of ``CHANGED``.

    Broken ones first; within each the surest mistake first: the confidence of the model that is
    wrong, then by key. All rows must be labelled and predicted by both.
    """
    before, after = rows.right(1)
    changed = rows.kept(before != after)
    broken = before[before != after]
    table = pa.table(
        {
            "key": changed.candidate["key"],
            "change": pa.array(np.where(broken, "broken", "fixed").tolist(), pa.string()),
            "target": changed.candidate["target"],
            **_said("baseline", changed.baseline),
            **_said("candidate", changed.candidate),
        }
    ).cast(CHANGED)
    mistaken = np.where(
        broken,
        table["candidate_confidence"].to_numpy(),
        table["baseline_confidence"].to_numpy(),
    )
    keys = np.array(table["key"].to_pylist(), dtype=object)
    order = np.lexsort((keys.argsort().argsort(), -mistaken, ~broken))
    return table.take(pa.array(order))


def _said(side: str, rows: pa.Table) -> dict[str, pa.ChunkedArray]:
    return {
        f"{side}_prediction": pc.list_element(rows["topk"], 0),
        f"{side}_confidence": pc.list_element(rows["topk_prob"], 0),
    }


def _targets(rows: pa.Table) -> NDArray[np.int64]:
    """−1 where there is none."""
    targets: NDArray[np.int64] = rows["target"].fill_null(-1).to_numpy().astype(np.int64)
    return targets


def _among(rows: pa.Table, keys: pa.Array | None) -> Bools:
    if keys is None:
        return np.zeros(len(rows), dtype=bool)
    return np.asarray(pc.is_in(rows["key"], keys).to_numpy(zero_copy_only=False), dtype=bool)


def _whole(rows: pa.Table) -> Bools:
    return ~_valid(rows["error"])


def _valid(column: pa.ChunkedArray) -> Bools:
    return np.asarray(pc.is_valid(column).to_numpy(zero_copy_only=False), dtype=bool)


def _digest_of(keys: pa.ChunkedArray, known: pa.Table) -> NDArray[np.object_]:
    """The SHA-256 of each key's image; one that is not known equals none other."""
    of_key = dict(zip(known["key"].to_pylist(), known["sha256"].to_pylist(), strict=True))
    digests = [of_key.get(key, object()) for key in keys.to_pylist()]
    found = np.empty(len(digests), dtype=object)
    found[:] = digests
    return found
