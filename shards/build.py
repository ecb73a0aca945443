"""A source → shards in a store: by ranges, in any order, resumable, the manifest last.

For each range a tar is published, and then its *part*: a small Parquet file with the rows of its
samples and, in its metadata, what was skipped. A range whose part exists is done. The manifest is
composed from the parts, which are removed after it.
"""

import io
import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from shards.errors import ShardError
from shards.manifest import MANIFEST_NAME, SAMPLES_NAME, Manifest, ShardEntry, compose_manifest
from shards.sample import Sample, Skipped
from shards.samples import samples_table
from shards.sources.source import Source, digest
from shards.store import Store
from shards.writer import WRITER_REVISION, write_tar

PARTS = "parts"
PART_METADATA = b"nightmark.part"
RECIPE_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is to be built; known before building, and the name of the folder built into."""

    dataset: str
    split: str
    source_identity: str
    entries: int
    samples_per_shard: int

    @property
    def name(self) -> str:
        facts = (asdict(self), WRITER_REVISION)
        return digest(facts)[:RECIPE_DIGITS]

    @property
    def shard_count(self) -> int:
        return -(-self.entries // self.samples_per_shard)

    def entry_range(self, shard: int) -> tuple[int, int]:
        """The entries ``start`` to ``stop`` of a shard."""
        start = shard * self.samples_per_shard
        return start, min(start + self.samples_per_shard, self.entries)

    def shard_name(self, shard: int) -> str:
        return f"{self.dataset}-{self.split}-{shard:06d}.tar"


@dataclass(frozen=True)
class Part:
    """One built range: its shard, unless every entry of it was skipped, and its rows."""

    entry: ShardEntry | None
    samples: pa.Table
    skipped: tuple[Skipped, ...]


def recipe_for(source: Source, dataset: str, split: str, samples_per_shard: int) -> Recipe:
    """The recipe that builds ``source`` into shards of at most ``samples_per_shard`` samples."""
    return Recipe(dataset, split, source.identity, len(source), samples_per_shard)


def missing_shards(store: Store, folder: str, recipe: Recipe) -> list[int]:
    """The shards that are still to be built; empty where the manifest is there."""
    if store.exists(f"{folder}/{MANIFEST_NAME}"):
        return []
    there = set(store.names(f"{folder}/{PARTS}"))
    return [shard for shard in range(recipe.shard_count) if _part_name(shard) not in there]


def build_shard(source: Source, store: Store, folder: str, recipe: Recipe, shard: int) -> Part:
    """Write one shard and its part. Raises StoreError, SourceError."""
    skipped: list[Skipped] = []

    def samples() -> Iterable[Sample]:
        for result in source.read(*recipe.entry_range(shard)):
            if isinstance(result, Skipped):
                skipped.append(result)
            else:
                yield result

    spool = io.BytesIO()
    written = write_tar(spool, samples())
    entry = None
    if written.placed:
        name = recipe.shard_name(shard)
        store.publish(f"{folder}/{name}", spool.getbuffer())
        entry = ShardEntry(
            url=name,
            nsamples=len(written.placed),
            filesize=written.size,
            sha256=written.sha256,
        )
    part = Part(entry, samples_table(shard, written.placed), tuple(skipped))
    store.publish(f"{folder}/{PARTS}/{_part_name(shard)}", _part_bytes(part))
    return part


def finish(source: Source, store: Store, folder: str, recipe: Recipe) -> Manifest:
    """Compose samples.parquet and the manifest from the parts, publish both, remove the parts.

    Raises:
        ShardError: a part is missing, or the counts of the parts do not add up.
    """
    try:
        parts = [_read_part(store, folder, shard) for shard in range(recipe.shard_count)]
    except ShardError:
        path = f"{folder}/{MANIFEST_NAME}"
        if not store.exists(path):
            raise
        # Another build of the same recipe, hence of the same bytes, was faster.
        return Manifest.from_json(store.read(path), store.locate(path))
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
    store.publish(f"{folder}/{MANIFEST_NAME}", manifest.to_json())
    with suppress(FileNotFoundError):  # another build may be clearing up as well
        store.remove_folder(f"{folder}/{PARTS}")
    return manifest


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
    )


def _part_name(shard: int) -> str:
    return f"{shard:06d}.parquet"


def _part_bytes(part: Part) -> bytes:
    facts = {
        "entry": part.entry.model_dump() if part.entry else None,
        "skipped": [asdict(entry) for entry in part.skipped],
    }
    table = part.samples.replace_schema_metadata({PART_METADATA: json.dumps(facts).encode()})
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def _read_part(store: Store, folder: str, shard: int) -> Part:
    path = f"{folder}/{PARTS}/{_part_name(shard)}"
    try:
        table = pq.read_table(io.BytesIO(store.read(path)))
    except FileNotFoundError as error:
        raise ShardError(f"{store.locate(path)} is missing; run the build again") from error
    facts = json.loads(table.schema.metadata[PART_METADATA])
    entry = ShardEntry(**facts["entry"]) if facts["entry"] else None
    skipped = tuple(Skipped(**row) for row in facts["skipped"])
    return Part(entry, table.replace_schema_metadata(None), skipped)
