"""Verb: predictions computed elsewhere, through the same door as our own."""

import time
from collections.abc import Sequence

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from shards.reader import Shard, ShardedSplit
from tasks.infer import InferenceRun, Inferred
from tasks.predictions.imported import read_imported
from tasks.predictions.schema import prediction_rows, score_rows
from tasks.progress import Advance, listener


@task(name="import predictions", task_run_name="import {run.label}", cache_policy=NO_CACHE)
def import_predictions(
    split: ShardedSplit, missing: Sequence[Shard], run: InferenceRun
) -> Inferred:
    """Publish the rows of the missing shards. Raises InputError as ``read_imported`` does."""
    started = time.perf_counter()
    spec = run.model.spec
    imported = read_imported(
        run.model.weights_file, spec.targets, spec.output, split.samples, run.classes
    )
    images = 0
    for shard in missing:
        scored = imported.of_shard(shard)
        run.predictions.write(shard, prediction_rows(scored), score_rows(scored))
        images += len(scored.keys)
        listener().advance(Advance(f"infer {run.label}", shards=1, images=len(scored.keys)))
    get_run_logger().info("%s: %d predictions imported", run.label, images)
    return Inferred(len(missing), images, time.perf_counter() - started)
