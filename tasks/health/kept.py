"""Signatures and copies at rest: what a night computes once, however often it runs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from shards.errors import ShardError
from shards.reader import Shard, ShardedSplit
from shards.store import Store
from tasks.health.copies import PAIRS_SCHEMA, Copies, FoundCopies, copies_id
from tasks.health.signatures import SCHEMA, SIGNATURE_REVISION, Signatures
from tasks.layout import copies_folder, shard_file, signature_file, signature_folder
from tasks.tables import read_table_of, table_bytes

BLOCK = 10_000
"""Images compared at a time."""
RECORD, PAIRS = "copies.json", "pairs.parquet"
SEARCH_AGAIN = "remove its folder too, and search again"


@dataclass(frozen=True)
class SignatureStore:
    """The signatures of shards, one Parquet file each."""

    store: Store = field(repr=False)

    def path(self, shard: Shard) -> str:
        return signature_file(SIGNATURE_REVISION, shard.entry.sha256)

    def missing(self, shards: Sequence[Shard]) -> list[Shard]:
        """The shards that have no signatures yet."""
        there = set(self.store.names(signature_folder(SIGNATURE_REVISION)))
        return [shard for shard in shards if shard_file(shard.entry.sha256) not in there]

    def write(self, shard: Shard, table: pa.Table) -> None:
        self.store.publish(self.path(shard), table_bytes(table))

    def read(self, shard: Shard) -> pa.Table:
        """A table of ``SCHEMA``. Raises ShardError."""
        path = self.path(shard)
        table = read_table_of(self.store, path, SCHEMA, advice="run again")
        if not table["key"].equals(shard.rows["key"]):
            raise ShardError(
                f"signatures {self.store.locate(path)} do not fit shard {shard.entry.url}; remove "
                f"the file and run again"
            )
        return table


@dataclass(frozen=True)
class SplitBlocks:
    """The signatures of a split, ``BLOCK`` images or a little more at a time, in its order."""

    split: ShardedSplit
    signatures: SignatureStore

    def __iter__(self) -> Iterator[Signatures]:
        tables: list[pa.Table] = []
        for shard in self.split.shards():
            tables.append(self.signatures.read(shard))
            if sum(table.num_rows for table in tables) >= BLOCK:
                yield Signatures.of(tables)
                tables = []
        if tables:
            yield Signatures.of(tables)

    def whole(self) -> Signatures:
        """All of them at once."""
        return Signatures.of(self.signatures.read(shard) for shard in self.split.shards())


def write_copies(store: Store, found: FoundCopies) -> None:
    """Publish the pairs and, last, the record."""
    folder = copies_folder(found.record.id)
    store.publish(f"{folder}/{PAIRS}", table_bytes(found.pairs))
    store.publish(f"{folder}/{RECORD}", found.record.to_json())


def read_copies(store: Store, copies: str) -> FoundCopies | None:
    """What was found under an id, or None. Raises ShardError if it is unreadable."""
    folder = copies_folder(copies)
    path = f"{folder}/{RECORD}"
    if not store.exists(path):
        return None
    record = Copies.from_json(store.read(path), store.locate(path))
    pairs = read_table_of(store, f"{folder}/{PAIRS}", PAIRS_SCHEMA, advice=SEARCH_AGAIN)
    return FoundCopies(record, pairs)


def copies_between(split: ShardedSplit, other: ShardedSplit) -> FoundCopies | None:
    """What was found of one split in another before, or None. Raises ShardError."""
    digests = (split.manifest.digests.images, other.manifest.digests.images)
    return read_copies(split.store, copies_id(*digests))
