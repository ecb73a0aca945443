"""A sharded split at rest: opened through its manifest, every image checked as it is read."""

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.parquet as pq
from isal.isal_zlib import crc32

from shards.errors import ShardError
from shards.manifest import (
    MANIFEST_NAME,
    SAMPLES_NAME,
    Manifest,
    ShardEntry,
    compose_manifest,
    describes,
)
from shards.samples import SCHEMA
from shards.store import Store

REMEDY = "remove its folder and build the shards again"
UNREADABLE_REMEDY = "make it readable and run again"


@dataclass(frozen=True, slots=True)
class StoredSample:
    """A sample as read from its shard; ``index`` is its position there."""

    key: str
    index: int
    image: bytes
    target: int | None


@dataclass(frozen=True)
class Shard:
    """One shard and the rows of samples.parquet that lie in it, in its order."""

    store: Store = field(repr=False)
    folder: str
    entry: ShardEntry
    rows: pa.Table = field(repr=False)

    @property
    def path(self) -> str:
        return f"{self.folder}/{self.entry.url}"

    def check_size(self) -> None:
        """Raises ShardError: the tar is missing, unreadable or not of the manifest's size."""
        where = self.store.locate(self.path)
        try:
            size = self.store.size(self.path)
        except FileNotFoundError as error:
            raise ShardError(f"shard {where} is missing; {REMEDY}") from error
        except OSError as error:
            raise self._unreadable(error) from error
        if size != self.entry.filesize:
            raise ShardError(
                f"shard {where} has {size} bytes instead of {self.entry.filesize}; {REMEDY}"
            )

    def read(self) -> Iterator[StoredSample]:
        """The samples in order; each image is compared with its checksum before it is yielded.

        Raises:
            ShardError: the tar is missing or unreadable, has the wrong size, or an image in it was
                altered.
        """
        self.check_size()
        try:
            yield from self._read()
        except OSError as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: OSError) -> ShardError:
        where, why = self.store.locate(self.path), error.strerror or error
        return ShardError(f"shard {where} cannot be read ({why}); {UNREADABLE_REMEDY}")

    def read_some(self, keys: frozenset[str]) -> Iterator[StoredSample]:
        """Those of these keys that lie in the shard, as ``read``; nothing else is read."""
        if keys.isdisjoint(self.rows["key"].to_pylist()):
            return
        self.check_size()
        try:
            yield from self._read(keys)
        except OSError as error:
            raise self._unreadable(error) from error

    def _read(self, keys: frozenset[str] | None = None) -> Iterator[StoredSample]:
        columns = [self.rows[name].to_pylist() for name in ("key", "offset", "length", "crc32")]
        targets = self.rows["target"].to_pylist()
        with self.store.open(self.path) as file:
            for index, (key, offset, length, checksum) in enumerate(zip(*columns, strict=True)):
                if keys is not None and key not in keys:
                    continue
                file.seek(offset)
                image = file.read(length)
                if crc32(image) != checksum:
                    raise ShardError(
                        f"shard {self.store.locate(self.path)}: the image of {key} was altered "
                        f"since it was written (checksum differs); {REMEDY}"
                    )
                yield StoredSample(key=key, index=index, image=image, target=targets[index])


@dataclass(frozen=True)
class ShardedSplit:
    """A split with its manifest and samples.parquet, checked against each other.

    Attributes:
        version: of the dataset, also where this is only a part of it.
        cut_to: this is the first so many shards; None for all of them.
    """

    store: Store = field(repr=False)
    folder: str
    manifest: Manifest = field(repr=False)
    version: str
    samples: pa.Table = field(repr=False)
    cut_to: int | None = None

    @classmethod
    def open(cls, store: Store, folder: str) -> "ShardedSplit":
        """The split in ``folder``.

        Raises:
            ShardError: the manifest or samples.parquet is missing, unreadable or altered.
        """
        manifest_path, samples_path = f"{folder}/{MANIFEST_NAME}", f"{folder}/{SAMPLES_NAME}"
        where = store.locate(samples_path)
        try:
            raw, table = store.read(manifest_path), store.read(samples_path)
        except FileNotFoundError as error:
            raise ShardError(
                f"{store.locate(folder)} holds no finished shards ({error}); build them first"
            ) from error
        except OSError as error:
            raise ShardError(
                f"{store.locate(folder)} cannot be read ({error}); {UNREADABLE_REMEDY}"
            ) from error
        manifest = Manifest.from_json(raw, store.locate(manifest_path))
        try:
            samples = pq.read_table(io.BytesIO(table))
        except (pa.ArrowException, OSError) as error:
            told = " ".join(str(error).split())
            raise ShardError(f"{where} is not readable ({told}); {REMEDY}") from error
        if SCHEMA.names != samples.column_names[: len(SCHEMA)]:
            raise ShardError(f"{where} has other columns than samples.parquet has; {REMEDY}")
        if not describes(manifest, samples):
            raise ShardError(f"{where} is not the one that the manifest describes; {REMEDY}")
        return cls(store, folder, manifest, hashlib.sha256(raw).hexdigest(), samples)

    def first(self, count: int) -> "ShardedSplit":
        """The first ``count`` shards, as a split of their own; this one where it has no more."""
        if count >= len(self.manifest.shardlist):
            return self
        shardlist = self.manifest.shardlist[:count]
        samples = self.samples.slice(0, sum(entry.nsamples for entry in shardlist))
        manifest = compose_manifest(
            dataset=self.manifest.dataset,
            split=self.manifest.split,
            layout=self.manifest.layout,
            classes=self.manifest.classes,
            shardlist=shardlist,
            samples=samples,
            skipped=(),
            entries=samples.num_rows,
            notes=self.manifest.notes,
        )
        return replace(self, manifest=manifest, samples=samples, cut_to=count)

    def shards(self) -> list[Shard]:
        """All shards, in order."""
        found: list[Shard] = []
        start = 0
        for entry in self.manifest.shardlist:
            # A copy: a slice would drag the rows of all shards along when it is sent to a process.
            rows = self.samples.take(pa.array(range(start, start + entry.nsamples)))
            found.append(Shard(self.store, self.folder, entry, rows))
            start += entry.nsamples
        return found
