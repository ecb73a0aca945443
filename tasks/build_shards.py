"""Verbs: build a group of shards; finish a split."""

from collections.abc import Sequence

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from shards.build import Recipe, build_shard, finish
from shards.manifest import Manifest
from shards.sources.source import Source
from shards.store import Store
from tasks.progress import Advance, listener


@task(name="build shards", cache_policy=NO_CACHE)
def build_group(
    source: Source, store: Store, folder: str, recipe: Recipe, shards: Sequence[int]
) -> int:
    """Build these shards; the number of samples written.

    Raises:
        SourceError: the source changed under the build.
        StoreError: the store cannot be written.
    """
    samples = 0
    for shard in shards:
        part = build_shard(source, store, folder, recipe, shard)
        samples += part.samples.num_rows
        work = f"shards {recipe.dataset}/{recipe.split}"
        listener().advance(Advance(work, shards=1, images=part.samples.num_rows))
        for skipped in part.skipped:
            get_run_logger().warning("skipped %s: %s", skipped.source_name, skipped.reason)
    return samples


@task(name="finish shards", cache_policy=NO_CACHE)
def finish_split(source: Source, store: Store, folder: str, recipe: Recipe) -> Manifest:
    """Publish samples.parquet and the manifest. Raises ShardError."""
    manifest = finish(source, store, folder, recipe)
    get_run_logger().info(
        "%s %s: %d samples in %d shards, %d entries skipped",
        manifest.dataset,
        manifest.split,
        manifest.samples,
        len(manifest.shardlist),
        len(manifest.skipped),
    )
    return manifest
