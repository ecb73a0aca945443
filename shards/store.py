"""The artifact root, local or any fsspec URL: whole files appear under their names, or none do."""

import os
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO, cast

import fsspec
from fsspec.implementations.local import LocalFileSystem

from shards.errors import InputError, StoreError

COPY_BYTES = 8 << 20
MODIFIED = ("mtime", "LastModified", "last_modified", "updated", "created")
"""What file systems call the time of a file."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file as it is listed, hidden ones too.

    Attributes:
        size: bytes.
        content: equal for the names (hard links) of one content.
        links: how many names its content has, in the store or elsewhere.
    """

    path: str
    size: int
    modified: datetime
    content: str
    links: int


@dataclass(frozen=True)
class Store:
    """Files under one root. Paths are relative to it, with forward slashes.

    A reader never meets a half-written file: local files are written under a hidden name, synced
    and renamed; on an object store a file is one upload under its final name.
    """

    root: str
    filesystem: fsspec.AbstractFileSystem = field(repr=False, compare=False)
    _base: str = field(repr=False)

    @classmethod
    def at(cls, url: str | Path) -> "Store":
        """The store at a local path or an fsspec URL (``s3://bucket/prefix``, ``memory://x``).

        Raises:
            InputError: the URL's protocol is unknown or its package is not installed.
        """
        try:
            filesystem, base = fsspec.url_to_fs(str(url))
        except (ImportError, ValueError) as error:
            raise InputError(f"artifact root {url}: {error}") from error
        return cls(root=str(url), filesystem=filesystem, _base=base.rstrip("/"))

    @property
    def is_local(self) -> bool:
        return isinstance(self.filesystem, LocalFileSystem)

    def locate(self, path: str) -> str:
        """The full path or URL of ``path``, as a person would open it."""
        return str(self.filesystem.unstrip_protocol(self._full(path))).removeprefix("file://")

    def without_root(self, sentence: str) -> str:
        """The sentence with the paths that ``locate`` gave as they are under the root: for what is
        read on other machines, too.
        """
        root = self.locate("")
        return sentence.replace(f"{root}/", "") if root else sentence

    def exists(self, path: str) -> bool:
        return bool(self.filesystem.exists(self._full(path)))

    def size(self, path: str) -> int:
        """Bytes. Raises FileNotFoundError."""
        return int(self.filesystem.size(self._full(path)))

    @contextmanager
    def open(self, path: str) -> Iterator[BinaryIO]:
        """``path`` for reading, seekable. Raises FileNotFoundError."""
        with self.filesystem.open(self._full(path), "rb") as file:
            yield cast("BinaryIO", file)

    def read(self, path: str) -> bytes:
        """The whole of ``path``. Raises FileNotFoundError."""
        return cast("bytes", self.filesystem.cat_file(self._full(path)))

    def tail(self, path: str, count: int) -> bytes:
        """The last bytes of ``path``, all of it where it is shorter. Raises FileNotFoundError."""
        return cast("bytes", self.filesystem.cat_file(self._full(path), start=-count))

    def names(self, folder: str) -> list[str]:
        """The sorted names of the files and folders in ``folder``; empty if it does not exist.

        Raises:
            StoreError: it cannot be listed.
        """
        self.filesystem.invalidate_cache()
        try:
            entries = self.filesystem.ls(self._full(folder), detail=False)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreError(
                f"{self.locate(folder)} cannot be listed ({error.strerror or error}); "
                f"is the artifact root a folder that you may read?"
            ) from error
        names = {PurePosixPath(str(entry)).name for entry in entries}
        return sorted(name for name in names if not name.startswith("."))

    def files(self, folder: str = "") -> Iterator[StoredFile]:
        """All files in ``folder`` and below, by path."""
        self.filesystem.invalidate_cache()
        found = self.filesystem.find(self._full(folder), detail=True)
        for full, entry in sorted(found.items()):
            inode = entry.get("ino")
            yield StoredFile(
                path=full.removeprefix(self._base).lstrip("/"),
                size=int(entry["size"]),
                modified=self._modified(full, entry),
                content=full if inode is None else str(inode),
                links=entry.get("nlink", 1),
            )

    def _modified(self, full: str, entry: dict[str, Any]) -> datetime:
        found = next((entry[name] for name in MODIFIED if name in entry), None)
        if isinstance(found, str):
            found = datetime.fromisoformat(found)
        elif isinstance(found, (int, float)):
            found = datetime.fromtimestamp(found, UTC)
        elif not isinstance(found, datetime):
            found = cast("datetime", self.filesystem.modified(full))
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    def publish(self, path: str, content: bytes | memoryview) -> None:
        """Make ``path`` appear with ``content``, whole; a file of that name is replaced."""
        with self.publishing(path) as file:
            file.write(content)

    @contextmanager
    def publishing(self, path: str) -> Iterator[BinaryIO]:
        """A file to write; it appears as ``path`` when the block ends, not at all if it raises.

        Raises:
            StoreError: it cannot be written; nothing of it is left.
        """
        try:
            if self.is_local:
                with _publishing_locally(Path(self._full(path))) as file:
                    yield file
                return
            with tempfile.TemporaryFile() as spool:
                yield cast("BinaryIO", spool)
                spool.seek(0)
                self._upload(spool, self._full(path))
        except OSError as error:
            raise StoreError(
                f"{self.locate(path)} cannot be written ({error.strerror or error}); what was "
                f"finished before is kept: mend the cause and run again"
            ) from error

    def _upload(self, spool: IO[bytes], target: str) -> None:
        upload = self.filesystem.open(target, "wb")
        try:
            while block := spool.read(COPY_BYTES):
                upload.write(block)
        except BaseException:
            upload.discard()
            upload.closed = True  # closing, even by the garbage collector, completes the upload
            raise
        upload.close()

    def link(self, path: str, target: str) -> None:
        """Make the file ``path`` appear as ``target`` too, without copying it.

        Raises:
            OSError: the store is not local, or its file system has no hard links.
        """
        if not self.is_local:
            raise OSError(f"{self.root} has no hard links")
        _link(Path(self._full(path)), Path(self._full(target)))

    def remove(self, path: str) -> None:
        """Delete a file. Raises FileNotFoundError."""
        self.filesystem.rm_file(self._full(path))

    def remove_folder(self, folder: str) -> None:
        """Delete a folder and what is in it. Raises FileNotFoundError."""
        self.filesystem.rm(self._full(folder), recursive=True)

    def remove_empty_folders(self, paths: Iterable[str]) -> None:
        """Remove the folders around these paths that have nothing in them, but not the root.

        An object store has no empty folders.
        """
        if not self.is_local:
            return
        around = {str(parent) for path in paths for parent in PurePosixPath(path).parents}
        for folder in sorted(around - {"."}, key=len, reverse=True):
            with suppress(OSError):  # not empty, or gone
                Path(self._full(folder)).rmdir()

    def settle(self) -> None:
        """What was removed so far stays removed, though the machine lose power."""
        if self.is_local:
            os.sync()

    def _full(self, path: str) -> str:
        parts = PurePosixPath(path).parts
        if path.startswith("/") or ".." in parts:
            raise ValueError(f"{path!r} leads out of the store")
        return f"{self._base}/{path}" if path else self._base


@contextmanager
def _publishing_locally(target: Path) -> Iterator[BinaryIO]:
    target.parent.mkdir(parents=True, exist_ok=True)
    hidden = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        with hidden.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        hidden.replace(target)
    except BaseException:
        hidden.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def _link(origin: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    hidden = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.partial")
    hidden.hardlink_to(origin)
    try:
        hidden.replace(target)
        _sync_folder(target.parent)
    finally:
        # Still there if it failed, and where the target was this very link before.
        hidden.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
