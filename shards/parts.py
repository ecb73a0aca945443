"""Parts: what is known of each built range, until the manifest is composed from all of them."""

import io
import json
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from shards.errors import ShardError
from shards.manifest import MANIFEST_NAME, ShardEntry
from shards.recipe import Recipe
from shards.sample import Skipped
from shards.store import Store

PARTS = "parts"
PART_METADATA = b"nightmark.part"
STALE_SECONDS = 3600.0
"""A hidden file is written without a pause; one untouched for so long has no writer any more."""


@dataclass(frozen=True)
class Part:
    """One built range: its shard, unless every entry of it was skipped, and its rows."""

    range_facts: str
    entry: ShardEntry | None
    samples: pa.Table
    skipped: tuple[Skipped, ...]


def missing_shards(store: Store, folder: str, recipe: Recipe) -> list[int]:
    """The shards that are still to be built; empty where the manifest is there."""
    if store.exists(f"{folder}/{MANIFEST_NAME}"):
        return []
    there = set(store.names(f"{folder}/{PARTS}"))
    return [shard for shard in range(recipe.shard_count) if part_name(shard) not in there]


def part_name(shard: int) -> str:
    """The file of a shard's part."""
    return f"{shard:06d}.parquet"


def publish_part(store: Store, folder: str, shard: int, part: Part) -> None:
    """Publish the part of a shard whose tar is published."""
    facts = {
        "range_facts": part.range_facts,
        "entry": part.entry.model_dump() if part.entry else None,
        "skipped": [asdict(entry) for entry in part.skipped],
    }
    table = part.samples.replace_schema_metadata({PART_METADATA: json.dumps(facts).encode()})
    sink = io.BytesIO()
    pq.write_table(table, sink)
    store.publish(f"{folder}/{PARTS}/{part_name(shard)}", sink.getvalue())


def read_part(store: Store, folder: str, shard: int) -> Part:
    """The part of a built shard. Raises ShardError if it is missing or damaged."""
    path = f"{folder}/{PARTS}/{part_name(shard)}"
    try:
        table = pq.read_table(io.BytesIO(store.read(path)))
    except FileNotFoundError as error:
        raise ShardError(f"{store.locate(path)} is missing; run the build again") from error
    except (pa.ArrowException, OSError) as error:
        raise ShardError(
            f"{store.locate(path)} is damaged ({error}); remove it and run the build again"
        ) from error
    facts = json.loads(table.schema.metadata[PART_METADATA])
    entry = ShardEntry(**facts["entry"]) if facts["entry"] else None
    skipped = tuple(Skipped(**row) for row in facts["skipped"])
    return Part(facts["range_facts"], entry, table.replace_schema_metadata(None), skipped)


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
