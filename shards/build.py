"""A source → shards in a store: by ranges, in any order, resumable, the manifest last.

For each range a tar is published, and then its part; a range whose part exists is done. The
manifest is composed from the parts, which are removed after it.
"""

from collections.abc import Iterator
from itertools import chain

import pyarrow as pa
import pyarrow.parquet as pq

from shards.errors import ShardError, SourceError
from shards.image import decode_fault
from shards.manifest import MANIFEST_NAME, SAMPLES_NAME, Manifest, ShardEntry, compose_manifest
from shards.order import wrong_count
from shards.parts import PARTS, Part, part_name, publish_part, read_part, sweep
from shards.recipe import Recipe
from shards.reuse import RANGES_NAME, Ranges
from shards.sample import Sample, Skipped
from shards.samples import Placed, samples_table
from shards.sources.source import Source
from shards.store import Store
from shards.writer import write_tar


def build_shard(source: Source, store: Store, folder: str, recipe: Recipe, shard: int) -> Part:
    """Write one shard and its part.

    Raises:
        StoreError: the store cannot be written.
        SourceError: the source cannot be read, or gave more or fewer results than it has entries
            in the range.
    """
    skipped: list[Skipped] = []
    start, stop = recipe.entry_range(shard)

    def samples() -> Iterator[Sample]:
        for result in _exactly(source, start, stop):
            checked = _decoded(result) if recipe.verify == "decode" else result
            if isinstance(checked, Skipped):
                skipped.append(checked)
            else:
                yield checked

    found = samples()
    entry = None
    placed: tuple[Placed, ...] = ()
    if first := next(found, None):
        name = recipe.shard_name(shard)
        with store.publishing(f"{folder}/{name}") as file:
            written = write_tar(file, chain((first,), found))
        placed = written.placed
        entry = ShardEntry(
            url=name, nsamples=len(placed), filesize=written.size, sha256=written.sha256
        )
    table = samples_table(shard, placed)
    part = Part(recipe.range_facts(source, shard), entry, table, tuple(skipped))
    publish_part(store, folder, shard, part)
    return part


def _exactly(source: Source, start: int, stop: int) -> Iterator[Sample | Skipped]:
    count = 0
    try:
        for result in source.read(start, stop):
            count += 1
            if count > stop - start:
                break
            yield result
    except OSError as error:
        # A shard is open for writing meanwhile: this must not be taken for the store's fault.
        raise SourceError(
            f"{source.layout}: entries {start} to {stop} cannot be read ({error}); "
            f"mend the cause and run again"
        ) from error
    if count != stop - start:
        raise SourceError(wrong_count(source, start, stop, count))


def _decoded(result: Sample | Skipped) -> Sample | Skipped:
    if isinstance(result, Skipped):
        return result
    fault = decode_fault(result.image, result.header)
    return Skipped(result.source_name, f"does not decode: {fault}") if fault else result


def finish(source: Source, store: Store, folder: str, recipe: Recipe) -> Manifest:
    """Compose samples.parquet and the manifest from the parts, publish both, remove the parts.

    Where another builder finished the folder in the meantime, its manifest is the result.

    Raises:
        ShardError: a part or its tar is missing, or the counts of the parts do not add up.
    """
    manifest_path = f"{folder}/{MANIFEST_NAME}"
    try:
        parts = [read_part(store, folder, shard) for shard in range(recipe.shard_count)]
    except ShardError:
        if not store.exists(manifest_path):
            raise
        return Manifest.from_json(store.read(manifest_path), store.locate(manifest_path))
    _refuse_lost_tars(store, folder, parts)
    tables = [part.samples for part in parts] or [samples_table(0, [])]
    samples = pa.concat_tables(tables, promote_options="permissive").combine_chunks()
    if not samples.num_rows:
        raise ShardError(
            f"{recipe.dataset} {recipe.split}: none of {recipe.entries} entries is a sample; "
            f"{'the first: ' + parts[0].skipped[0].reason if parts else 'the source is empty'}"
        )
    manifest = compose(parts, samples, source, recipe)
    with store.publishing(f"{folder}/{SAMPLES_NAME}") as file:
        pq.write_table(samples, file, compression="zstd")
    ranges = Ranges(ranges=tuple(part.range_facts for part in parts))
    store.publish(f"{folder}/{RANGES_NAME}", ranges.model_dump_json(indent=1).encode() + b"\n")
    store.publish(manifest_path, manifest.to_json())
    sweep(store, folder)
    return manifest


def _refuse_lost_tars(store: Store, folder: str, parts: list[Part]) -> None:
    there = set(store.names(folder))
    for shard, part in enumerate(parts):
        if part.entry and part.entry.url not in there:
            raise ShardError(
                f"{store.locate(f'{folder}/{part.entry.url}')} was built and is gone; remove "
                f"{PARTS}/{part_name(shard)} beside it and run the build again"
            )


def compose(parts: list[Part], samples: pa.Table, source: Source, recipe: Recipe) -> Manifest:
    """The manifest over all parts of a recipe; ``samples`` are those of all parts."""
    return compose_manifest(
        dataset=recipe.dataset,
        split=recipe.split,
        layout=source.layout,
        classes=source.classes,
        shardlist=[part.entry for part in parts if part.entry],
        samples=samples,
        skipped=[entry for part in parts for entry in part.skipped],
        entries=recipe.entries,
        notes=source.notes,
    )
