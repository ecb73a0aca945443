"""Shards of an earlier build of the same split, taken over where their entries are the same.

Beside a finished manifest lies ``ranges.json``: a digest of all that each range was built from.
Where a finished neighbour (another recipe of the same split) has an equal one, its shard is taken
over.
"""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from shards.errors import ShardError
from shards.manifest import MANIFEST_NAME, ShardEntry
from shards.parts import Part, publish_part
from shards.reader import ShardedSplit
from shards.recipe import Recipe
from shards.sample import Skipped
from shards.samples import SCHEMA
from shards.sources.source import Source
from shards.store import Store

RANGES_NAME = "ranges.json"


class Ranges(BaseModel):
    """``ranges.json``: ``Recipe.range_facts`` of every range of a finished recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_name: Literal["nightmark.ranges"] = "nightmark.ranges"
    schema_version: Literal[1] = 1
    ranges: tuple[str, ...]


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
    publish_part(store, folder, shard, part)
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
            store.link(f"{origin}/{entry.url}", target)
            return True
    store.publish(target, content)
    return True


def _read_ranges(store: Store, folder: str) -> tuple[str, ...]:
    """The ranges of a finished folder; none of one that is not finished, or foreign."""
    try:
        if not store.exists(f"{folder}/{MANIFEST_NAME}"):
            return ()
        return Ranges.model_validate_json(store.read(f"{folder}/{RANGES_NAME}")).ranges
    except (OSError, ValidationError):
        return ()
