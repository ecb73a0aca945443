"""Comparisons at rest: two stored evaluations → a comparison, and where it is kept."""

import pyarrow as pa

from shards.errors import InputError, ShardError
from shards.manifest import SAMPLES_NAME
from shards.store import Store
from tasks.layout import PairName
from tasks.metrics.aligned import MatchedBy, align
from tasks.metrics.compare import Measured, compare
from tasks.metrics.comparison import Comparison, Side
from tasks.stored import StoredScoring
from tasks.tables import read_table, table_bytes
from tasks.targets.overlay import TargetOverlay
from tasks.targets.rows import rows_under_targets, stored_overlay

RECORD = "comparison.json"
CHANGED = "changed.parquet"
COLUMNS = (
    *("key", "target", "topk", "topk_prob", "target_prob"),
    *("nll", "sum_sq_prob", "error"),
)


def side_of(stored: StoredScoring) -> Side:
    """How a comparison names an evaluation."""
    evaluation = stored.evaluation
    return Side(
        pair=evaluation.pair,
        evaluation=evaluation.id,
        scoring=stored.scoring.id,
        model_fingerprint=evaluation.model_fingerprint,
        dataset_version=evaluation.dataset_version,
    )


def compare_stored(
    store: Store, baseline: StoredScoring, candidate: StoredScoring
) -> tuple[Comparison, pa.Table]:
    """The comparison of two stored evaluations, and all fixed and broken samples.

    Targets that were laid over those of the dataset for the candidate count for both sides.

    Raises:
        InputError: they are of different datasets, splits or class lists.
        ShardError: predictions of one of them are missing or unreadable.
    """
    _check_comparable(baseline, candidate)
    overlay = stored_overlay(store, candidate.scoring)
    sides = (_measured(store, baseline, overlay), _measured(store, candidate, overlay))
    digests, matched_by = None, _matched_by(baseline, candidate)
    if matched_by != "images":
        found = [_digests(store, side.evaluation.shards_folder) for side in (baseline, candidate)]
        digests = (found[0], found[1]) if found[0] is not None and found[1] is not None else None
        matched_by = "key" if digests is None else "sha256"
    several = None
    if overlay is not None and overlay.kind == "acceptable":
        several = overlay.rows["key"].combine_chunks()
    rows = align(sides[0].rows, sides[1].rows, digests, several)
    file = None if overlay is None else overlay.file
    return compare(*sides, rows, candidate.scoring.classes, matched_by, file)


def store_comparison(store: Store, comparison: Comparison, changed: pa.Table) -> str:
    """Publish a comparison, its record last; returns its folder."""
    folder = comparison.candidate.pair.name.comparison(comparison.id)
    store.publish(f"{folder}/{CHANGED}", table_bytes(changed))
    store.publish(f"{folder}/{RECORD}", comparison.to_json())
    return folder


def read_comparison(store: Store, pair: PairName, comparison: str) -> Comparison:
    """A stored comparison of a candidate. Raises ShardError."""
    return Comparison.read(store, f"{pair.comparison(comparison)}/{RECORD}", "compare them again")


def read_changed(store: Store, comparison: Comparison) -> pa.Table:
    """Every fixed and broken sample of a stored comparison, of ``aligned.CHANGED``, in its order.

    Raises:
        ShardError: the file is missing or unreadable.
    """
    folder = comparison.candidate.pair.name.comparison(comparison.id)
    return read_table(store, f"{folder}/{CHANGED}", advice="compare them again")


def _check_comparable(baseline: StoredScoring, candidate: StoredScoring) -> None:
    ours, theirs = candidate.evaluation.pair, baseline.evaluation.pair
    if ours.name.split != theirs.name.split:
        raise InputError(
            f"{theirs} and {ours} are of different datasets or splits; two evaluations of the same "
            f"one are needed"
        )
    if candidate.scoring.class_ids != baseline.scoring.class_ids:
        raise InputError(
            f"{theirs} ({baseline.evaluation.id}) and {ours} ({candidate.evaluation.id}) were "
            f"scored on different class lists ({len(baseline.scoring.class_ids)} and "
            f"{len(candidate.scoring.class_ids)} classes); a prediction does not mean the same in "
            f"both"
        )


def _matched_by(baseline: StoredScoring, candidate: StoredScoring) -> MatchedBy:
    same = baseline.evaluation.images_digest == candidate.evaluation.images_digest
    return "images" if same else "key"


def _measured(store: Store, stored: StoredScoring, overlay: TargetOverlay | None) -> Measured:
    parts = rows_under_targets(store, stored.evaluation, overlay)
    tables = [table.select(COLUMNS) for table in parts]
    if not tables:
        raise ShardError(f"evaluation {stored.evaluation.id} has no predictions; run it again")
    return Measured(side_of(stored), pa.concat_tables(tables).combine_chunks())


def _digests(store: Store, shards_folder: str) -> pa.Table | None:
    """Keys and SHA-256 of the images, if the shards are still there."""
    path = f"{shards_folder}/{SAMPLES_NAME}"
    if not store.exists(path):
        return None
    return read_table(
        store,
        path,
        columns=("key", "sha256"),
        advice="build the shards again, or remove their folder",
    )
