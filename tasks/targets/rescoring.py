"""Rows under their targets → a scoring. What a night does, and what rescoring repeats."""

from collections.abc import Iterable, Iterator
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shards.errors import InputError, ShardError
from shards.sample import ClassList
from shards.store import Store
from tasks.metrics.point_check import check_points
from tasks.metrics.ranking import Ranking, rank
from tasks.metrics.scoring import Scoring, compose_scoring
from tasks.metrics.slices import SliceTallies, slice_metrics
from tasks.metrics.spec import DEFAULT, ScoringSpec
from tasks.metrics.tallies import TALLIED, counted_targets, tally
from tasks.metrics.tallies_table import tallies_table
from tasks.predictions.columns import matrix_of
from tasks.predictions.evaluation import Evaluation
from tasks.predictions.ranking import score_precision
from tasks.stored import StoredScoring, has_scores, score_tables, slicings_of
from tasks.tables import table_bytes
from tasks.targets.overlay import Overlaid, OverlayCounts, TargetOverlay
from tasks.targets.retarget import Retargeted
from tasks.targets.rows import class_scores, publish_overlay, retargeted_tables


def rescore(
    store: Store,
    stored: StoredScoring,
    overlay: TargetOverlay | None,
    spec: ScoringSpec | None = None,
) -> Scoring:
    """The figures of a stored evaluation anew, from its Parquet alone, published beside the old.

    Neither the model nor the shards are needed: the classes are those of the stored scoring.

    Args:
        store: where the evaluation lies; the new scoring is published there.
        stored: the evaluation, and any of its scorings.
        overlay: the targets that count; None for the dataset's own.
        spec: what is to be computed; None for what the stored scoring has.

    Raises:
        ShardError: a file of predictions is missing or unreadable.
        InputError: the overlay has keys that the evaluation lacks.
    """
    evaluation = stored.evaluation
    parts = retargeted_tables(store, evaluation, overlay)
    wishes = stored.scoring.spec if spec is None else spec
    return score_and_publish(store, evaluation, stored.scoring.classes, parts, overlay, wishes)


def score_and_publish(
    store: Store,
    evaluation: Evaluation,
    classes: ClassList,
    parts: Iterable[Retargeted],
    overlay: TargetOverlay | None,
    spec: ScoringSpec = DEFAULT,
) -> Scoring:
    """Tally the parts of an evaluation, and publish the scoring, its tallies and the overlay.

    Raises:
        InputError: the overlay has keys that no part has.
    """
    scored = has_scores(store, evaluation)
    slicings = slicings_of(store, evaluation, classes, spec)
    sliced = SliceTallies.empty(slicings, spec.top_ks)
    counts = OverlayCounts()
    keys: list[pa.ChunkedArray] = []
    targets: list[NDArray[np.int32]] = []

    def rows() -> Iterator[pa.Table]:
        nonlocal counts, sliced
        start = 0
        for part in parts:
            counts = counts + part.counts
            keys.extend([part.rows["key"]] if overlay is not None else [])
            targets.extend([counted_targets(part.rows)] if scored else [])
            if slicings:
                sliced = sliced + SliceTallies.of(part.rows, start, slicings, spec.top_ks)
                start += part.rows.num_rows
            yield part.rows.select(TALLIED)

    tallies = tally(rows(), len(classes))
    ranking = _ranking(store, evaluation, targets, len(classes)) if scored else None
    pair = evaluation.pair.name
    overlaid = None
    if overlay is not None:
        if evaluation.quick is None:  # a part of a split lacks most keys
            _refuse_foreign(overlay, keys, str(pair.split))
        publish_overlay(store, pair.split, overlay)
        overlaid = Overlaid.of(overlay, counts)
    checks = check_points(spec.thresholds, partial(class_scores, store, evaluation, overlay))
    slices = slice_metrics(slicings, sliced)
    scoring = compose_scoring(evaluation, classes, tallies, overlaid, spec, ranking, checks, slices)
    folder = pair.scoring(scoring.id)
    if ranking is not None:
        store.publish(pair.curves(scoring.id), table_bytes(ranking.points))
    store.publish(f"{folder}/tallies.parquet", table_bytes(tallies_table(tallies)))
    store.publish(pair.metrics(scoring.id), scoring.to_json())
    return scoring


def _refuse_foreign(overlay: TargetOverlay, keys: list[pa.ChunkedArray], samples: str) -> None:
    there = pa.chunked_array([chunk for column in keys for chunk in column.chunks], pa.string())
    ours = overlay.rows["key"]
    foreign = ours.filter(pc.invert(pc.is_in(ours, there.combine_chunks())))
    if len(foreign) == len(overlay) > 0:
        example = f", whose keys look like {there[0].as_py()}" if len(there) else ""
        raise InputError(
            f"targets {overlay.file}: none of the {len(overlay):,} keys, such as "
            f"{foreign[0].as_py()}, is a sample of {samples}{example}; correct the keys"
        )
    if len(foreign) and not overlay.subset:
        raise InputError(
            f"targets {overlay.file}: {foreign[0].as_py()} is no sample of {samples} "
            f"({len(foreign):,} of {len(overlay):,} keys are none); correct it, or set "
            f"`subset: true` (--subset) if the file is for more samples than the dataset holds"
        )


def _ranking(
    store: Store, evaluation: Evaluation, targets: list[NDArray[np.int32]], classes: int
) -> Ranking | None:
    """From the files of full scores; None where there is no sample to rank."""
    counted = np.concatenate([np.zeros(0, dtype=np.int32), *targets])
    if not (counted >= 0).any():
        return None

    def files() -> Iterator[NDArray[np.floating]]:
        return (matrix_of(part["probabilities"]) for part in score_tables(store, evaluation))

    try:
        return rank(files, counted, classes, score_precision(classes))
    except ValueError as error:
        where = store.locate(evaluation.pair.name.scores(evaluation.run))
        raise ShardError(f"{where}: {error}; remove it and run the evaluation again") from error
