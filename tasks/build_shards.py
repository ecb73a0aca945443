"""Verbs: build a group of shards; finish a split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from shards.build import build_shard, finish
from shards.manifest import Manifest
from shards.reader import ShardedSplit
from shards.recipe import Recipe
from shards.reuse import take_over
from shards.sources.source import Source
from shards.store import Store
from tasks.progress import Advance, listener


@dataclass(frozen=True, slots=True)
class Built:
    """What a group came to: shards built, shards taken over, and the samples in all of them."""

    built: int
    taken_over: int
    samples: int


@task(name="build shards", cache_policy=NO_CACHE)
def build_group(
    source: Source,
    store: Store,
    folder: str,
    recipe: Recipe,
    shards: Sequence[int],
    neighbours: Mapping[int, ShardedSplit],
) -> Built:
    """Build these shards, or take them over from the neighbour that has them.

    Raises:
        SourceError: the source changed under the build.
        StoreError: the store cannot be written.
    """
    taken_over = samples = 0
    for shard in shards:
        part = None
        if shard in neighbours:
            part = take_over(source, folder, recipe, shard, neighbours[shard])
            taken_over += part is not None
        if part is None:
            part = build_shard(source, store, folder, recipe, shard)
        samples += part.samples.num_rows
        work = f"shards {recipe.dataset}/{recipe.split}"
        listener().advance(Advance(work, shards=1, images=part.samples.num_rows))
        for skipped in part.skipped:
            get_run_logger().warning("skipped %s: %s", skipped.source_name, skipped.reason)
    return Built(len(shards) - taken_over, taken_over, samples)


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
