"""source → samples → shards."""

from prefect import flow

from conf.plan import DatasetPlan, RuntimePlan
from flows.runners import combined, gather, groups, threads
from shards.build import missing_shards, recipe_for
from shards.manifest import MANIFEST_NAME
from shards.sources.opening import open_source
from shards.store import Store
from tasks.build_shards import build_group, finish_split
from tasks.progress import Outline, listener

BUILDERS = 2


@flow(
    name="build-shards",
    flow_run_name="build {dataset.name} {dataset.split}",
    task_runner=threads(BUILDERS),
)
def build_shards(dataset: DatasetPlan, runtime: RuntimePlan) -> str:
    """Build what is missing of a split; returns its folder under the artifact root.

    Raises:
        SourceError: the source is not what the plan says.
        ShardError: shards could not be built, or the counts do not add up.
    """
    store = Store.at(runtime.root)
    source = open_source(dataset, dataset.split)
    recipe = recipe_for(source, dataset.name, dataset.split, runtime.samples_per_shard)
    folder = dataset.split_name.shards(recipe.name)
    missing = missing_shards(store, folder, recipe)
    total = recipe.shard_count
    listener().begin(Outline(f"shards {dataset.split_name}", total, total - len(missing)))
    futures = [
        build_group.with_options(task_run_name=f"build from {recipe.shard_name(group[0])}").submit(
            source, store, folder, recipe, group
        )
        for group in groups(missing, runtime.shards_per_task)
    ]
    _, errors = gather(futures)
    if errors:
        raise combined(errors)
    if not store.exists(f"{folder}/{MANIFEST_NAME}"):
        finish_split(source, store, folder, recipe)
    return folder
