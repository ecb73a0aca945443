"""Verb: predictions → tallies → metrics, and the records that say so."""

import io

import pyarrow.parquet as pq
from prefect import task
from prefect.cache_policies import NO_CACHE

from shards.errors import ModelError, ShardError
from shards.reader import Shard, ShardedSplit
from tasks.infer import InferenceRun
from tasks.metrics.scoring import Scoring, compose_scoring
from tasks.metrics.tallies import Tallies, merge
from tasks.predictions.evaluation import compose_evaluation
from tasks.predictions.schema import outputs_of


@task(name="aggregate", task_run_name="aggregate {run.label}", cache_policy=NO_CACHE)
def aggregate(split: ShardedSplit, run: InferenceRun) -> Scoring:
    """Tally the predictions of every shard, and publish the evaluation and its scoring.

    Raises:
        ShardError: predictions of a shard are missing or unreadable; nothing is published then.
        ModelError: the model scored another number of classes than the dataset has now.
    """
    predictions = run.predictions
    store, pair = predictions.store, predictions.pair
    tallies = merge((_tallies(shard, run) for shard in split.shards()), run.classes)
    evaluation = compose_evaluation(split, run.model, run.numerics, predictions)
    scoring = compose_scoring(evaluation, split.manifest.classes, tallies)
    sink = io.BytesIO()
    pq.write_table(tallies.to_table(), sink)
    store.publish(pair.evaluation(evaluation.id), evaluation.to_json())
    store.publish(f"{pair.scoring(scoring.id)}/tallies.parquet", sink.getvalue())
    store.publish(f"{pair.scoring(scoring.id)}/metrics.json", scoring.to_json())
    return scoring


def _tallies(shard: Shard, run: InferenceRun) -> Tallies:
    rows = run.predictions.read(shard)
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
    return Tallies.of(rows, run.classes)
