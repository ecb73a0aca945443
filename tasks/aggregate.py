"""Verb: predictions → tallies → metrics, and the records that say so."""

from functools import partial

import pyarrow as pa
from prefect import task
from prefect.cache_policies import NO_CACHE

from shards.errors import ModelError, ShardError
from shards.reader import Shard, ShardedSplit
from tasks.infer import InferenceRun
from tasks.metrics.scoring import Scoring
from tasks.metrics.spec import DEFAULT, ScoringSpec
from tasks.metrics.tallies import TALLIED
from tasks.predictions.evaluation import compose_evaluation
from tasks.predictions.schema import outputs_of
from tasks.targets.overlay import TargetOverlay
from tasks.targets.rescoring import score_and_publish
from tasks.targets.retarget import retarget
from tasks.targets.rows import scores_of


@task(name="aggregate", task_run_name="aggregate {run.label}", cache_policy=NO_CACHE)
def aggregate(
    split: ShardedSplit,
    run: InferenceRun,
    overlay: TargetOverlay | None = None,
    spec: ScoringSpec = DEFAULT,
) -> Scoring:
    """Tally the predictions of every shard, and publish the evaluation and its scoring.

    Raises:
        ShardError: predictions of a shard are missing or unreadable; nothing is published then.
        ModelError: the model scored another number of classes than the dataset has now.
        InputError: the overlay has keys that the dataset lacks.
    """
    predictions = run.predictions
    store, classes = predictions.store, split.manifest.classes
    evaluation = compose_evaluation(split, run.model, run.numerics, predictions)
    scores = scores_of(store, evaluation)
    parts = (
        retarget(_rows(shard, run), overlay, partial(scores, place))
        for place, shard in enumerate(split.shards())
    )
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
