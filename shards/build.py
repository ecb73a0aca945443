"""A source → shards in a store: by ranges, in any order, resumable, the manifest last.

For each range a tar is published, and then its *part*: a small Parquet file with the rows of its
samples and, in its metadata, what was skipped. A range whose part exists is done. The manifest is
composed from the parts, which are removed after it.

Beside the manifest lies ``ranges.json``: a digest of all that each range was built from. Where a
finished neighbour (another recipe of the same split) has an equal one, its shard is taken over.
"""

import hashlib
import io
import json
import os
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, ValidationError

from shards.errors import ShardError, SourceError
from shards.image import decode_fault
from shards.manifest import MANIFEST_NAME, SAMPLES_NAME, Manifest, ShardEntry, compose_manifest
from shards.order import wrong_count
from shards.reader import ShardedSplit
from shards.sample import Sample, Skipped
from shards.samples import SCHEMA, samples_table
from shards.sources.source import Source, digest
from shards.store import Store
from shards.writer import WRITER_REVISION, write_tar

PARTS = "parts"
PART_METADATA = b"nightmark.part"
RANGES_NAME = "ranges.json"
RECIPE_DIGITS = 16
STALE_SECONDS = 3600.0
"""A hidden file is written without a pause; one untouched for so long has no writer any more."""

Verify = Literal["header", "decode"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is to be built; known before building, and the name of the folder built into.

    The order of the entries is part of the source's identity.
    """

    dataset: str
    split: str
    source_identity: str
    entries: int
    samples_per_shard: int
    verify: Verify = "header"

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

    def range_facts(self, source: Source, shard: int) -> str:
        """A digest of everything that decides the bytes of a shard, and what of it is skipped."""
        start, stop = self.entry_range(shard)
        classes = (source.classes.ids, source.classes.names)
        how = (source.layout, self.verify, WRITER_REVISION)
        return digest(source.range_identity(start, stop), start, stop, classes, how)


@dataclass(frozen=True)
class Part:
    """One built range: its shard, unless every entry of it was skipped, and its rows."""

    range_facts: str
    entry: ShardEntry | None
    samples: pa.Table
    skipped: tuple[Skipped, ...]


class Ranges(BaseModel):
    """``ranges.json``: ``Recipe.range_facts`` of every range of a finished recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_name: Literal["nightmark.ranges"] = "nightmark.ranges"
    schema_version: Literal[1] = 1
    ranges: tuple[str, ...]


def recipe_for(
    source: Source,
    dataset: str,
    split: str,
    samples_per_shard: int,
    verify: Verify = "header",
) -> Recipe:
    """The recipe that builds ``source`` into shards of at most ``samples_per_shard`` samples."""
    return Recipe(dataset, split, source.identity, len(source), samples_per_shard, verify)


def missing_shards(store: Store, folder: str, recipe: Recipe) -> list[int]:
    """The shards that are still to be built; empty where the manifest is there."""
    if store.exists(f"{folder}/{MANIFEST_NAME}"):
        return []
    there = set(store.names(f"{folder}/{PARTS}"))
    return [shard for shard in range(recipe.shard_count) if _part_name(shard) not in there]


def build_shard(source: Source, store: Store, folder: str, recipe: Recipe, shard: int) -> Part:
    """Write one shard and its part.

    Raises:
        StoreError: the store cannot be written.
        SourceError: the source gave more or fewer results than it has entries in the range.
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
    table = samples_table(shard, written.placed)
    part = Part(recipe.range_facts(source, shard), entry, table, tuple(skipped))
    _publish_part(store, folder, shard, part)
    return part


def _exactly(source: Source, start: int, stop: int) -> Iterator[Sample | Skipped]:
    count = 0
    for result in source.read(start, stop):
        count += 1
        if count > stop - start:
            break
        yield result
    if count != stop - start:
        raise SourceError(wrong_count(source, start, stop, count))


def _decoded(result: Sample | Skipped) -> Sample | Skipped:
    if isinstance(result, Skipped):
        return result
    fault = decode_fault(result.image, result.header)
    return Skipped(result.source_name, f"does not decode: {fault}") if fault else result


def reusable_shards(
    source: Source, store: Store, folder: str, recipe: Recipe, missing: Sequence[int]
) -> dict[int, ShardedSplit]:
    """Those missing shards that a finished neighbour built from equal entries, and the neighbour.

    An ordered source's ranges move with every entry of it, so only the source's own order finds
    anything here.
    """
    parent = PurePosixPath(folder).parent
    others = [str(parent / name) for name in store.names(str(parent)) if missing]
    known = {other: _read_ranges(store, other) for other in others if other != folder}
    if not any(known.values()):
        return {}
    wanted = {shard: recipe.range_facts(source, shard) for shard in missing}
    matches = {
        other: [shard for shard in missing if ranges[shard : shard + 1] == (wanted[shard],)]
        for other, ranges in known.items()
    }
    found: dict[int, ShardedSplit] = {}
    for other in sorted(matches, key=lambda other: (-len(matches[other]), other)):
        if new := [shard for shard in matches[other] if shard not in found]:
            with suppress(ShardError):
                found |= dict.fromkeys(new, ShardedSplit.open(store, other))
    return found


def take_over(
    source: Source, folder: str, recipe: Recipe, shard: int, neighbour: ShardedSplit
) -> Part | None:
    """Copy a shard that ``reusable_shards`` found, and publish its part.

    None, and nothing published, where the neighbour's tar is not whole any more: build it then.
    """
    store = neighbour.store
    first, last = np.searchsorted(neighbour.samples["shard"].to_numpy(), [shard, shard + 1])
    rows = neighbour.samples.slice(first, last - first).combine_chunks()
    start, stop = recipe.entry_range(shard)
    # Every entry before this range is a row or was skipped; so is every entry in it.
    skipped = neighbour.manifest.skipped[start - first :][: stop - start - rows.num_rows]
    name = recipe.shard_name(shard)
    entry = next((e for e in neighbour.manifest.shardlist if e.url == name), None)
    if entry and not _copy_tar(store, neighbour.folder, folder, entry):
        return None
    extra = rows.column_names[len(SCHEMA) :]
    fields = sorted(field for field in extra if rows[field].null_count < rows.num_rows)
    part = Part(
        recipe.range_facts(source, shard),
        entry,
        rows.select([*SCHEMA.names, *fields]),
        tuple(Skipped(row.source_name, row.reason) for row in skipped),
    )
    _publish_part(store, folder, shard, part)
    return part


def _copy_tar(store: Store, origin: str, folder: str, entry: ShardEntry) -> bool:
    """Whether the tar was whole, and now lies in ``folder`` too (as a hard link where it can)."""
    try:
        content = store.read(f"{origin}/{entry.url}")
    except OSError:
        return False
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        return False
    target = f"{folder}/{entry.url}"
    if store.is_local:
        with suppress(OSError):
            _link(Path(store.locate(f"{origin}/{entry.url}")), Path(store.locate(target)))
            return True
    store.publish(target, content)
    return True


def _link(origin: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    hidden = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.partial")
    hidden.hardlink_to(origin)
    try:
        hidden.replace(target)
        descriptor = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    finally:
        # Still there if it failed, and where the target was this very link before.
        hidden.unlink(missing_ok=True)


def finish(source: Source, store: Store, folder: str, recipe: Recipe) -> Manifest:
    """Compose samples.parquet and the manifest from the parts, publish both, remove the parts.

    Where another builder finished the folder in the meantime, its manifest is the result.

    Raises:
        ShardError: a part is missing, or the counts of the parts do not add up.
    """
    manifest_path = f"{folder}/{MANIFEST_NAME}"
    try:
        parts = [_read_part(store, folder, shard) for shard in range(recipe.shard_count)]
    except ShardError:
        if not store.exists(manifest_path):
            raise
        return Manifest.from_json(store.read(manifest_path), store.locate(manifest_path))
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


def sweep(store: Store, folder: str) -> None:
    """Remove what building left in a finished folder: parts, and hidden files of killed builders.

    A hidden file is removed only when it was not touched for an hour; a second builder that still
    works here keeps its own.
    """
    with suppress(FileNotFoundError):
        store.remove_folder(f"{folder}/{PARTS}")
    if not store.is_local:
        return  # an upload that was cut off leaves nothing under a name
    for hidden in Path(store.locate(folder)).glob(".*.partial"):
        with suppress(FileNotFoundError):
            if time.time() - hidden.stat().st_mtime > STALE_SECONDS:
                hidden.unlink()


def _read_ranges(store: Store, folder: str) -> tuple[str, ...]:
    """The ranges of a finished folder; none of one that is not finished, or foreign."""
    try:
        if not store.exists(f"{folder}/{MANIFEST_NAME}"):
            return ()
        return Ranges.model_validate_json(store.read(f"{folder}/{RANGES_NAME}")).ranges
    except (OSError, ValidationError):
        return ()


def _part_name(shard: int) -> str:
    return f"{shard:06d}.parquet"


def _publish_part(store: Store, folder: str, shard: int, part: Part) -> None:
    facts = {
        "range_facts": part.range_facts,
        "entry": part.entry.model_dump() if part.entry else None,
        "skipped": [asdict(entry) for entry in part.skipped],
    }
    table = part.samples.replace_schema_metadata({PART_METADATA: json.dumps(facts).encode()})
    sink = io.BytesIO()
    pq.write_table(table, sink)
    store.publish(f"{folder}/{PARTS}/{_part_name(shard)}", sink.getvalue())


def _read_part(store: Store, folder: str, shard: int) -> Part:
    path = f"{folder}/{PARTS}/{_part_name(shard)}"
    try:
        table = pq.read_table(io.BytesIO(store.read(path)))
    except FileNotFoundError as error:
        raise ShardError(f"{store.locate(path)} is missing; run the build again") from error
    facts = json.loads(table.schema.metadata[PART_METADATA])
    entry = ShardEntry(**facts["entry"]) if facts["entry"] else None
    skipped = tuple(Skipped(**row) for row in facts["skipped"])
    return Part(facts["range_facts"], entry, table.replace_schema_metadata(None), skipped)
