"""The prediction rows of a stored evaluation under other targets than its dataset's."""

from collections.abc import Callable, Iterator
from functools import partial

import pyarrow as pa

from shards.errors import ShardError
from shards.store import Store
from tasks.layout import SplitName
from tasks.metrics.scoring import Scoring
from tasks.metrics.threshold import ClassScores
from tasks.predictions.evaluation import Evaluation
from tasks.stored import has_scores, prediction_tables, score_tables
from tasks.tables import read_table_of, table_bytes
from tasks.targets.overlay import KIND, SCHEMA, TargetOverlay
from tasks.targets.retarget import Retargeted, retarget


def rows_under_targets(
    store: Store, evaluation: Evaluation, overlay: TargetOverlay | None
) -> Iterator[pa.Table]:
    """The rows of an evaluation under an overlay, one table per shard, in order; no model is run.

    To compare two evaluations, read **both** through this with the **same** overlay, that of the
    newer scoring (``stored_overlay``): otherwise the older side would be judged on targets that
    have been corrected since. Without an overlay these are the rows as they were written.

    ``target_rank``, ``target_prob`` and ``nll`` are null where only the first k predictions were
    kept and the new target is not among them (``tasks.targets.retarget``).

    Raises:
        ShardError: a file is missing or unreadable.
    """
    for part in retargeted_tables(store, evaluation, overlay):
        yield part.rows


def retargeted_tables(
    store: Store, evaluation: Evaluation, overlay: TargetOverlay | None
) -> Iterator[Retargeted]:
    """As ``rows_under_targets``, with what the overlay did to each shard's rows."""
    scores = scores_of(store, evaluation)
    for place, rows in enumerate(prediction_tables(store, evaluation)):
        yield retarget(rows, overlay, partial(scores, place))


def scores_of(store: Store, evaluation: Evaluation) -> Callable[[int], pa.Table | None]:
    """What reads the full probabilities of the n-th shard; None where they were not all kept."""
    kept = has_scores(store, evaluation)

    def read(place: int) -> pa.Table | None:
        if not kept:
            return None
        path = evaluation.predictions[place]
        (found,) = score_tables(store, evaluation.model_copy(update={"predictions": (path,)}))
        return found

    return read


def class_scores(
    store: Store, evaluation: Evaluation, overlay: TargetOverlay | None, class_index: int
) -> ClassScores | None:
    """An evaluation seen from one class; None where the probabilities were not all kept.

    Raises:
        ShardError: a file is missing or unreadable.
    """
    if not has_scores(store, evaluation):
        return None
    tables = rows_with_scores(store, evaluation, overlay)
    return ClassScores.joined([ClassScores.of(*both, class_index) for both in tables])


def rows_with_scores(
    store: Store, evaluation: Evaluation, overlay: TargetOverlay | None
) -> Iterator[tuple[pa.Table, pa.Table]]:
    """``rows_under_targets``, each table with its full probabilities, row by row.

    Raises:
        ShardError: a file is missing or unreadable, or scores are of other samples.
    """
    tables = rows_under_targets(store, evaluation, overlay)
    scores = score_tables(store, evaluation)
    for rows, kept in zip(tables, scores, strict=True):
        if not rows["key"].equals(kept["key"]):
            where = store.locate(evaluation.pair.name.scores(evaluation.run))
            raise ShardError(
                f"scores in {where} are of other samples than the predictions; remove the folder "
                f"and run the evaluation again"
            )
        yield rows, kept


def publish_overlay(store: Store, split: SplitName, overlay: TargetOverlay) -> None:
    """Keep a copy under its digest, for comparisons and rescoring without the file."""
    path = overlay.path(split)
    if not store.exists(path):
        rows = overlay.rows.replace_schema_metadata({KIND: overlay.kind.encode()})
        store.publish(path, table_bytes(rows))


def stored_overlay(store: Store, scoring: Scoring) -> TargetOverlay | None:
    """The overlay that a scoring was computed under, or None if it was its dataset's own targets.

    Raises:
        ShardError: the copy is missing or unreadable.
    """
    said = scoring.overlaid
    if said is None:
        return None
    path = scoring.pair.name.split.targets(said.digest)
    where = store.locate(path)
    table = read_table_of(store, path, SCHEMA, advice="give the file of targets again")
    overlay = TargetOverlay(
        said.kind, table, said.file, said.file_sha256, subset=bool(said.foreign)
    )
    if overlay.digest != said.digest:
        raise ShardError(f"{where} was altered; remove it and give the file of targets again")
    return overlay
