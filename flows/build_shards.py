"""source → samples → shards."""

import re
import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import cast
from uuid import UUID

from prefect import flow, get_run_logger
from prefect.artifacts import (
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from conf.plan import DatasetPlan, RuntimePlan
from flows.returned import kept, taken
from flows.runners import combined, gather, groups, threads, whole
from shards.manifest import MANIFEST_NAME, Manifest
from shards.order import in_order
from shards.parts import missing_shards, sweep
from shards.recipe import recipe_for
from shards.reuse import reusable_shards
from shards.sources.opening import open_source
from shards.store import Store
from tasks.build_shards import Built, build_group, finish_split
from tasks.layout import SplitName
from tasks.progress import Advance, Listener, Outline, listener, listening

BUILDERS = 4
"""Threads: reading, hashing and writing leave the interpreter to the others, and so does waiting
for the disk."""
UPDATE_SECONDS = 1.0
SHOWN_REASONS = 50


@flow(
    name="build-shards",
    flow_run_name="build {dataset.name} {dataset.split}",
    task_runner=threads(BUILDERS),
)
def build_shards(dataset: DatasetPlan, runtime: RuntimePlan) -> str:
    """Build what is missing of a split; returns its folder under the artifact root.

    Shards that an earlier build made of the same entries are taken over from its folder.

    Raises:
        SourceError: the source is not what the plan says.
        ShardError: shards could not be built, or the counts do not add up.
    """
    started = time.perf_counter()
    store = Store.at(runtime.root)
    source = open_source(dataset, dataset.split)
    source = in_order(source, dataset.order, dataset.order_seed)
    recipe = recipe_for(
        source, dataset.name, dataset.split, runtime.samples_per_shard, dataset.verify
    )
    folder = dataset.split_name.shards(recipe.name)
    missing = missing_shards(store, folder, recipe)
    total = recipe.shard_count
    outline = Outline(f"shards {dataset.split_name}", total, total - len(missing))
    listener().begin(outline)
    done: list[Built] = []
    if missing:
        neighbours = reusable_shards(source, store, folder, recipe, missing)
        with listening(_Moving(dataset.split_name, outline, listener())):
            futures = [
                build_group.with_options(
                    task_run_name=f"build from {recipe.shard_name(group[0])}"
                ).submit(whole(source), store, folder, recipe, group, whole(neighbours))
                for group in groups(missing, runtime.shards_per_task)
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
        key=_artifact_key("shards", dataset.split_name),
        table=summary_rows(manifest, done, time.perf_counter() - started),
        description=f"Shards of {dataset.split_name} in {store.locate(folder)}",
    )
    return kept(folder)


def shards_of(dataset: DatasetPlan, runtime: RuntimePlan) -> str:
    """``build_shards``; raises what it raises."""
    return taken(build_shards(dataset, runtime, return_state=True), str)


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


class _Moving:
    """A progress artifact that moves with the shards, at most once a second."""

    def __init__(self, split: SplitName, outline: Outline, outer: Listener) -> None:
        self._outer = outer
        self._lock = threading.Lock()
        self._done, self._total = outline.reused, outline.shards
        self._updated = time.monotonic()
        artifact = create_progress_artifact(
            progress=self._percent(),
            key=_artifact_key("building", split),
            description=f"Shards of {split}",
        )
        self._artifact = cast("UUID", artifact)

    def begin(self, outline: Outline) -> None:
        self._outer.begin(outline)

    def advance(self, advance: Advance) -> None:
        self._outer.advance(advance)
        with self._lock:
            self._done += advance.shards
            now = time.monotonic()
            if now - self._updated < UPDATE_SECONDS and self._done < self._total:
                return
            self._updated = now
            try:
                update_progress_artifact(self._artifact, progress=self._percent())
            except Exception as error:  # a server that is away must not end a build
                get_run_logger().warning("progress is not shown: %s", error)

    def _percent(self) -> float:
        return 100.0 * self._done / self._total


def _artifact_key(what: str, split: SplitName) -> str:
    """Prefect allows small letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", f"{what}-{split}").strip("-")
