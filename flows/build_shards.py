"""source → samples → shards."""

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from prefect import flow, tags
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed

from conf.loading import load
from conf.plan import DatasetPlan
from conf.runtime import RuntimePlan
from flows.moving import Moving, artifact_key
from flows.returned import kept, taken
from flows.runners import combined, gather, group_size, groups, threads, whole
from flows.states import fault_state
from shards.errors import InputError, NightmarkError
from shards.manifest import MANIFEST_NAME, Manifest
from shards.order import in_order
from shards.parts import missing_shards, sweep
from shards.recipe import Recipe, recipe_for
from shards.reuse import reusable_shards
from shards.sources.opening import open_source
from shards.sources.source import Source
from shards.store import Store
from tasks.build_shards import Built, build_group, finish_split
from tasks.leases import held
from tasks.metrics.words import counted
from tasks.progress import Outline, listener, listening

BUILDERS = 4
"""Threads: reading, hashing and writing leave the interpreter to the others, and so does waiting
for the disk."""
IMAGE_SECONDS = {"header": 0.0003, "decode": 0.005}
"""Of one thread, by ``verify``; for photographs of 75 KB (docs/benchmarks.md)."""
SHOWN_REASONS = 50


@flow(
    name="build-shards",
    flow_run_name="build {dataset.name} {dataset.split}",
    task_runner=threads(BUILDERS),
)
def build_shards(dataset: DatasetPlan, runtime: RuntimePlan) -> State[str]:
    """Build what is missing of a split; its folder under the artifact root is the result.

    Shards that an earlier build made of the same entries are taken over from its folder.

    The state is Completed, or Failed named Unusable (the source is not what the plan says) or
    Incomplete (shards could not be built, or the counts do not add up) with the error as result.
    """
    try:
        folder, said = _build(dataset, runtime)
    except NightmarkError as error:
        return fault_state(error)
    return Completed(message=said, data=kept(folder))


def _build(dataset: DatasetPlan, runtime: RuntimePlan) -> tuple[str, str]:
    """The folder of the shards, and what was done. Raises SourceError, ShardError, StoreError."""
    started = time.perf_counter()
    store = Store.at(runtime.root)
    source, recipe = source_and_recipe(dataset, runtime)
    folder = dataset.split_name.shards(recipe.name)
    missing = missing_shards(store, folder, recipe)
    total = recipe.shard_count
    outline = Outline(f"shards {dataset.split_name}", total, total - len(missing))
    listener().begin(outline)
    done: list[Built] = []
    if missing:
        seconds = IMAGE_SECONDS[dataset.verify] * runtime.samples_per_shard
        size = group_size(runtime.shards_per_task, len(missing), seconds, BUILDERS)
        neighbours = reusable_shards(source, store, folder, recipe, missing)
        with listening(Moving("building", dataset.split_name, outline, listener())):
            futures = [
                build_group.with_options(
                    task_run_name=f"build from {recipe.shard_name(group[0])}"
                ).submit(whole(source), store, folder, recipe, group, whole(neighbours))
                for group in groups(missing, size)
            ]
            done, errors = gather(futures)
        if errors:
            raise combined(errors)
    if store.exists(f"{folder}/{MANIFEST_NAME}"):
        path = f"{folder}/{MANIFEST_NAME}"
        manifest = Manifest.from_json(store.read(path), store.locate(path))
        sweep(store, folder)
    else:
        manifest = finish_split(whole(source), store, folder, recipe)
    create_table_artifact(
        key=artifact_key("shards", dataset.split_name),
        table=summary_rows(manifest, done, time.perf_counter() - started),
        description=f"Shards of {dataset.split_name} in {store.locate(folder)}",
    )
    return folder, _said(manifest, done)


def _said(manifest: Manifest, done: Sequence[Built]) -> str:
    images, shards = counted(manifest.samples, "image"), counted(len(manifest.shardlist), "shard")
    built = sum(group.built for group in done)
    taken_over = sum(group.taken_over for group in done)
    return (
        f"{images} in {shards}. Of the source's ranges {built:,} were built now and "
        f"{taken_over:,} taken over from earlier builds; the rest was there."
    )


def _plan_run_name() -> str:
    parameters: dict[str, object] = flow_run.parameters
    return f"shards of {Path(str(parameters['plan'])).stem}"


@flow(name="build-shards-of-plan", flow_run_name=_plan_run_name)
def build_plan_shards(
    plan: Path, overrides: Sequence[str] = (), datasets: Sequence[str] = ()
) -> State[tuple[str, ...]]:
    """Build the shards of a plan's datasets, or of those named; the state carries their folders.

    A plan or a source that is wrong ends it Unusable; what the other datasets need is built first.
    """
    try:
        work = load(plan, overrides)
        wanted = [work.dataset(name) for name in datasets] or list(work.datasets)
    except (InputError, KeyError) as error:
        said = error if isinstance(error, InputError) else InputError(str(error.args[0]))
        return fault_state(said)
    folders, errors = [], []
    for dataset in wanted:
        try:
            folders.append(shards_of(dataset, work.runtime))
        except NightmarkError as error:
            errors.append(error)
    if errors:
        return fault_state(combined(errors))
    message = f"The shards are there: {', '.join(folders)}."
    return Completed(message=message, data=kept(tuple(folders)))


def shards_of(dataset: DatasetPlan, runtime: RuntimePlan) -> str:
    """The folder that ``build_shards`` gives. Raises SourceError, ShardError, StoreError."""
    tag = f"dataset:{dataset.name}"
    with held(Store.at(runtime.root), "build", [dataset.split_name]), tags(tag):
        return taken(build_shards(dataset, runtime, return_state=True), str)


def source_and_recipe(dataset: DatasetPlan, runtime: RuntimePlan) -> tuple[Source, Recipe]:
    """The source as the plan orders it, and what is to be built of it. Raises SourceError."""
    source = open_source(dataset, dataset.split)
    source = in_order(source, dataset.order, dataset.order_seed)
    recipe = recipe_for(
        source, dataset.name, dataset.split, runtime.samples_per_shard, dataset.verify
    )
    return source, recipe


def summary_rows(
    manifest: Manifest, done: Sequence[Built], seconds: float
) -> list[dict[str, str | int | float]]:
    """The table of a build: one row per figure; the reasons of skipped entries are counted."""
    built = sum(group.built for group in done)
    taken_over = sum(group.taken_over for group in done)
    reasons = Counter(entry.reason for entry in manifest.skipped).most_common()
    figures: dict[str, str | int | float] = {
        "shards": len(manifest.shardlist),
        "built now": built,
        "taken over from earlier builds": taken_over,
        "samples": manifest.samples,
        "unlabelled": manifest.unlabelled,
        "entries of the source": manifest.entries,
        "skipped": len(manifest.skipped),
        **{f"skipped: {reason}": count for reason, count in reasons[:SHOWN_REASONS]},
        "bytes": sum(shard.filesize for shard in manifest.shardlist),
        "seconds": round(seconds, 1),
        "dataset version": manifest.dataset_version,
    }
    if rest := sum(count for _, count in reasons[SHOWN_REASONS:]):
        figures["skipped: for other reasons"] = rest
    return [{"what": what, "figure": figure} for what, figure in figures.items()]
