"""Verb: predictions → tallies → metrics, and the records that say so."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pyarrow as pa
from prefect import task
from prefect.cache_policies import NO_CACHE

from shards.errors import ModelError, ShardError
from shards.reader import Shard, ShardedSplit
from tasks.infer import InferenceRun
from tasks.metrics.operating_point import thresholds_for
from tasks.metrics.scoring import Scoring
from tasks.metrics.spec import DEFAULT, ScoringSpec
from tasks.metrics.tallies import TALLIED
from tasks.predictions.evaluation import compose_evaluation
from tasks.predictions.schema import outputs_of
from tasks.targets.overlay import OverlaySpec
from tasks.targets.reading import read_overlay
from tasks.targets.rescoring import score_and_publish
from tasks.targets.retarget import retarget
from tasks.targets.rows import scores_of


@task(name="aggregate", task_run_name="aggregate {run.label}", cache_policy=NO_CACHE)
def aggregate(
    split: ShardedSplit,
    run: InferenceRun,
    targets: OverlaySpec | None = None,
    spec: ScoringSpec = DEFAULT,
    points: Sequence[Path] = (),
) -> Scoring:
    """Tally the predictions of every shard, and publish the evaluation and its scoring.

    Raises:
        ShardError: predictions of a shard are missing or unreadable; nothing is published then.
        ModelError: the model scored another number of classes than the dataset has now.
        InputError: the file of targets or an operating point cannot be used.
    """
    predictions = run.predictions
    store, classes = predictions.store, split.manifest.classes
    overlay = None if targets is None else read_overlay(targets, classes)
    evaluation = compose_evaluation(split, run.model, run.numerics, predictions)
    scores = scores_of(store, evaluation)
    parts = (
        retarget(_rows(shard, run), overlay, partial(scores, place))
        for place, shard in enumerate(split.shards())
    )
    thresholds = thresholds_for(points, predictions.pair, classes)
    spec = spec.model_copy(update={"thresholds": thresholds})
    scoring = score_and_publish(store, evaluation, classes, parts, overlay, spec)
    store.publish(predictions.pair.evaluation(evaluation.id), evaluation.to_json())
    return scoring


def _rows(shard: Shard, run: InferenceRun) -> pa.Table:
    rows = run.predictions.read(shard, TALLIED)
    if outputs_of(rows) is None:
        where = run.predictions.store.locate(run.predictions.path(shard))
        raise ShardError(
            f"predictions {where} do not say how many classes were scored, since an earlier "
            f"nightmark wrote them; remove the folder they lie in and run the evaluation again"
        )
    # A class list may grow without a byte of a shard changing; a reused file must not hide that.
    if (outputs := outputs_of(rows)) != run.classes:
        raise ModelError(
            f"model {run.model.name} scored {outputs} classes of {shard.entry.url}; the dataset "
            f"has {run.classes}"
        )
    return rows
