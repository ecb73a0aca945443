"""Shards at rest against their manifest: every byte read again, the first bad image named."""

import hashlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import BinaryIO

from shards.errors import ShardError
from shards.reader import REMEDY, UNREADABLE_REMEDY, Shard, ShardedSplit

BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a shard: in the image of ``key``, or (None) in the tar as such."""

    shard: str
    key: str | None
    problem: str
    remedy: str = REMEDY

    def __str__(self) -> str:
        return f"shard {self.shard}{f', key {self.key}' if self.key else ''}: {self.problem}"


@dataclass(frozen=True, slots=True)
class Verification:
    """What was read, and every fault, in the order of shards and samples."""

    shards: int
    samples: int
    bytes: int
    faults: tuple[Fault, ...]

    def raise_if_bad(self) -> None:
        """Raises ShardError: names the first fault and counts the others."""
        if not self.faults:
            return
        first, *others = self.faults
        places = len({fault.shard for fault in self.faults})
        more = f" ({len(others)} more faults; {places} bad shards in all)" if others else ""
        raise ShardError(f"{first}; {first.remedy}{more}")


def verify_split(
    split: ShardedSplit, workers: int, done: Callable[[Shard], None] = lambda _: None
) -> Verification:
    """Hash every shard and every image again, in ``workers`` threads.

    ``samples.parquet`` was checked against the manifest when the split was opened. ``done`` is
    called in this thread, in the order of the shards.
    """
    shards = split.shards()
    faults: list[Fault] = []
    with ThreadPoolExecutor(max_workers=max(workers, 1)) as pool:
        for shard, found in zip(shards, pool.map(verify_shard, shards), strict=True):
            faults.extend(found)
            done(shard)
    faults.extend(_foreign_shards(split))
    entries = split.manifest.shardlist
    return Verification(
        shards=len(entries),
        samples=split.manifest.samples,
        bytes=sum(entry.filesize for entry in entries),
        faults=tuple(faults),
    )


def verify_shard(shard: Shard) -> tuple[Fault, ...]:
    """The faults of one shard; its tar is read once, and one image at a time is held."""
    where = shard.store.locate(shard.path)
    try:
        with shard.store.open(shard.path) as file:
            altered, size, sha256 = _read_again(shard, file)
    except FileNotFoundError:
        return (Fault(where, None, "it is missing"),)
    except OSError as error:
        problem = f"it cannot be read ({error.strerror or error})"
        return (Fault(where, None, problem, UNREADABLE_REMEDY),)
    wanted = shard.entry
    problem = "the image was altered since it was written (SHA-256 differs)"
    if size != wanted.filesize:
        problem = f"the tar has {size} bytes instead of {wanted.filesize}"
    if altered:
        return tuple(Fault(where, key, problem) for key in altered)
    if size != wanted.filesize:
        return (Fault(where, None, problem),)
    if sha256 != wanted.sha256:
        return (Fault(where, None, "it was altered outside its images (SHA-256 differs)"),)
    return ()


def _read_again(shard: Shard, file: BinaryIO) -> tuple[list[str], int, str]:
    """Keys whose image is another, the size of the tar, and its hex SHA-256."""
    whole = hashlib.sha256()
    size = 0
    altered: list[str] = []
    columns = [shard.rows[name].to_pylist() for name in ("key", "offset", "length", "sha256")]
    for key, offset, length, sha256 in zip(*columns, strict=True):
        for block in _blocks(file, offset - size):
            whole.update(block)
            size += len(block)
        image = file.read(length)
        whole.update(image)
        size += len(image)
        if hashlib.sha256(image).digest() != sha256:
            altered.append(key)
    while block := file.read(BLOCK_BYTES):
        whole.update(block)
        size += len(block)
    return altered, size, whole.hexdigest()


def _blocks(file: BinaryIO, count: int) -> Iterable[bytes]:
    """The next ``count`` bytes, or fewer where the file ends."""
    while count > 0 and (block := file.read(min(count, BLOCK_BYTES))):
        count -= len(block)
        yield block


def _foreign_shards(split: ShardedSplit) -> Iterable[Fault]:
    known = {entry.url for entry in split.manifest.shardlist}
    for name in split.store.names(split.folder):
        if name.endswith(".tar") and name not in known:
            where = split.store.locate(f"{split.folder}/{name}")
            yield Fault(where, None, "it is not in the manifest", "remove it")
