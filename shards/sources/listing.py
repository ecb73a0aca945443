"""What lies in a folder or a tar: names, sizes and places, known without reading contents; and the
table of entries that a source keeps of it, flat in memory and quick to send to another process.
"""

import os
import stat
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shards.errors import SourceError
from shards.image import read_header
from shards.sample import ClassList, Sample, Skipped, webdataset_key
from shards.sources.source import digest, printable

EVERYTHING = "**/*"
LARGEST_IMAGE = 256 << 20
LARGEST_HEADER = 1 << 20
CHUNK = 4096
BLOCK = 512
ZEROS = bytes(BLOCK)
UNLABELLED = -1
NOT_REGULAR = "not a regular file"
PLAIN = (b"0", b"\0", b"7")
FOLDER = b"5"
WITHOUT_CONTENT = (b"1", b"2", b"3", b"4", FOLDER, b"6")
EXTENDED = (b"x", b"g", b"L", b"K")

SPLIT_NAMES: Mapping[str, tuple[str, ...]] = {
    "val": ("val", "validation"),
    "validation": ("validation", "val"),
}


def split_names(split: str) -> tuple[str, ...]:
    """What publishers call ``split``."""
    return SPLIT_NAMES.get(split, (split,))


class Found(NamedTuple):
    """Something with a name: ``place`` is its time of change (folder) or its offset (tar)."""

    name: str
    place: int
    size: int
    refusal: str | None
    head: bytes = b""


class Entry(NamedTuple):
    """Row ``number`` of ``Entries``; ``path`` is its name as the file system has it."""

    number: int
    path: bytes
    name: str
    place: int
    size: int
    label: int | None
    key: str
    refusal: str | None


@dataclass(frozen=True, eq=False)
class Entries:
    """The entries of a source in order, one column for each fact; what few have is kept apart."""

    paths: pa.Array
    places: NDArray[np.int64]
    sizes: NDArray[np.int64]
    marks: NDArray[np.int32]
    keys: Mapping[int, str]
    refusals: Mapping[int, str]

    @classmethod
    def of(cls, found: Iterable[tuple[Found, int | str | None]]) -> "Entries":
        """The table of files and their labels; a label that is a string is a reason to skip."""
        places, sizes, marks = array("q"), array("q"), array("i")
        refusals: dict[int, str] = {}
        chunks: list[pa.Array] = []
        rows = iter(found)
        while chunk := list(islice(rows, CHUNK)):
            for index, (file, label) in enumerate(chunk, len(marks)):
                refusal = file.refusal or (label if isinstance(label, str) else None)
                if refusal is None and file.size > LARGEST_IMAGE:
                    refusal = f"larger than {LARGEST_IMAGE >> 20} MiB"
                if refusal is not None:
                    refusals[index] = refusal
                places.append(file.place)
                sizes.append(file.size)
                marks.append(label if refusal is None and isinstance(label, int) else UNLABELLED)
            chunks.append(pa.array([_raw(file.name) for file, _ in chunk], pa.binary()))
        paths = pa.chunked_array(chunks, pa.binary())
        return cls(
            paths=paths.combine_chunks(),
            places=np.array(places, dtype=np.int64),
            sizes=np.array(sizes, dtype=np.int64),
            marks=np.array(marks, dtype=np.int32),
            keys=_unusual_keys(paths, refusals),
            refusals=refusals,
        )

    def __len__(self) -> int:
        return len(self.marks)

    def rows(self, start: int, stop: int) -> Iterator[Entry]:
        """Entries ``start`` to ``stop``, as far as there are so many."""
        stop = min(stop, len(self))
        columns = (self.places, self.sizes, self.marks)
        paths = self.paths.slice(start, max(stop - start, 0)).to_pylist()
        facts = zip(paths, *(column[start:stop].tolist() for column in columns), strict=True)
        for index, (path, place, size, mark) in enumerate(facts, start):
            name = path.decode(errors="replace")
            key = self.keys.get(index) or webdataset_key(name)
            label = None if mark == UNLABELLED else mark
            yield Entry(index, path, name, place, size, label, key, self.refusals.get(index))

    def range_digest(self, start: int, stop: int, *facts: object) -> str:
        """A digest of all that is known of these entries, and of ``facts``."""
        rows = [
            (row.name, row.place, row.size, row.label, self.keys.get(row.number), row.refusal)
            for row in self.rows(start, stop)
        ]
        return digest(rows, *facts)

    def digest(self, *facts: object) -> str:
        """``range_digest`` of all entries, without holding them all as text at once."""
        starts = range(0, len(self), CHUNK)
        return digest([self.range_digest(start, start + CHUNK) for start in starts], *facts)

    def labels(self) -> list[int | None]:
        return [None if mark == UNLABELLED else mark for mark in self.marks.tolist()]

    def within(self, classes: int) -> "Entries":
        """The same, but labels that are no index of so many classes are refused."""
        beyond = np.flatnonzero(self.marks >= classes).tolist()
        refusals = {row: f"no such class: {self.marks[row]}" for row in beyond}
        marks = np.where(self.marks < classes, self.marks, UNLABELLED).astype(np.int32)
        return replace(self, marks=marks, refusals={**self.refusals, **refusals})

    def notes_on(self, classes: ClassList) -> tuple[str, ...]:
        """A note where only some of the classes have entries."""
        present = len(np.unique(self.marks[self.marks != UNLABELLED]))
        whole = present == len(classes)
        return () if whole else (f"{present} of {len(classes)} classes have entries",)


def sample_of(entry: Entry, image: bytes, fields: Mapping[str, str | int]) -> Sample | Skipped:
    """The entry with its image, if the image has a header that can be read."""
    try:
        header = read_header(image)
    except ValueError as error:
        return Skipped(entry.name, str(error))
    return Sample(entry.key, image, header, entry.label, entry.name, fields)


def _raw(name: str) -> bytes:
    return name.encode(errors="surrogateescape")


def _unusual_keys(paths: pa.ChunkedArray, refusals: Mapping[int, str]) -> dict[int, str]:
    """The keys that are not just the base name: the whole path where base names are equal, and a
    number behind where that is not enough.
    """
    chunks: list[pa.Array] = []
    for chunk in paths.chunks:
        first = len(chunks) * CHUNK
        keys = (webdataset_key(path.decode(errors="replace")) for path in chunk.to_pylist())
        written = [None if row in refusals else key for row, key in enumerate(keys, first)]
        chunks.append(pa.array(written, pa.string()))
    usual = pa.chunked_array(chunks, pa.string())
    counted = pc.value_counts(usual.drop_null())
    often = counted.field("counts").to_numpy() > 1
    if not often.any():
        return {}
    repeated = set(counted.field("values").filter(pa.array(often)).to_pylist())
    taken = set(counted.field("values").to_pylist()) - repeated
    unusual: dict[int, str] = {}
    for index, (path, short) in enumerate(zip(paths, usual, strict=True)):
        if short.as_py() not in repeated:
            continue
        key = webdataset_key(path.as_py().decode(errors="replace").replace("/", "_"))
        unique, number = key, 2
        while unique in taken:
            unique, number = f"{key[:80]}-{number}", number + 1
        taken.add(unique)
        if unique != short.as_py():
            unusual[index] = unique
    return unusual


def list_folder(root: Path, include: str = EVERYTHING) -> list[Found]:
    """The files below ``root`` that ``include`` matches, sorted by path; hidden ones are left out.

    Links to files are followed, and links to folders elsewhere; a link that leads to nowhere or
    into the same dataset is listed with a refusal.

    Raises:
        SourceError: no folder, no file, or a pattern that is no pattern.
    """
    if not root.is_dir():
        raise SourceError(f"{root}: no such folder; point `location` at a folder of images")
    try:
        if include == EVERYTHING:
            found = list(_walk(root, "", Path(os.path.realpath(root)), set()))
        else:  # sorted by folder, as the walk is
            parts = sorted({path.relative_to(root).parts for path in root.glob(include)})
            visible = ["/".join(name) for name in parts if not any(p[0] == "." for p in name)]
            found = [_file(root / name, name) for name in visible if not (root / name).is_dir()]
    except (ValueError, NotImplementedError) as error:
        raise SourceError(f"include {include!r} is not a glob: {error}") from error
    except OSError as error:
        raise SourceError(f"{root} cannot be listed ({error}); make it readable") from error
    if not found:
        raise SourceError(f"{root}: no file matches {include!r}")
    return found


def _walk(folder: Path, prefix: str, root: Path, followed: set[Path]) -> Iterator[Found]:
    with os.scandir(folder) as unsorted:
        entries = sorted(unsorted, key=lambda entry: entry.name)
    for entry in entries:
        if entry.name.startswith("."):
            continue
        name = f"{prefix}{entry.name}"
        if not entry.is_dir():
            yield _file(entry, name)
            continue
        if entry.is_symlink():
            target = Path(os.path.realpath(entry.path))
            if target in followed or root.is_relative_to(target) or target.is_relative_to(root):
                yield Found(name, 0, 0, "a link into the same dataset")
                continue
            followed.add(target)
        yield from _walk(Path(entry.path), f"{name}/", root, followed)


def _file(entry: "os.DirEntry[str] | Path", name: str) -> Found:
    try:
        facts = entry.stat()
    except OSError as error:
        return Found(name, 0, 0, error.strerror or "unreadable")
    regular = stat.S_ISREG(facts.st_mode)
    return Found(name, facts.st_mtime_ns, facts.st_size, None if regular else NOT_REGULAR)


def read_in_place(tar: Path, rows: Iterable[Entry]) -> Iterator[tuple[Entry, bytes]]:
    """The rows with their contents out of an unpacked tar; nothing is read of refused ones.

    Raises:
        SourceError: the tar has become shorter since it was listed.
    """
    with tar.open("rb") as file:
        for row in rows:
            content = b"" if row.refusal else os.pread(file.fileno(), row.size, row.place)
            if not row.refusal and len(content) < row.size:
                raise SourceError(f"{tar}: {row.name} was cut off since it was listed; run again")
            yield row, content


def scan_tar(
    descriptor: int, where: str, start: int = 0, stop: int | None = None, *, head: int = 0
) -> Iterator[Found]:
    """The members of an unpacked tar, folders apart, in its order; only their headers are read.

    Names lose a leading ``./``; of a name that leads elsewhere (``/x``, ``../x``) only the base
    name is kept. Formats: POSIX ustar and pax, GNU tar.

    Args:
        descriptor: of the open file.
        where: the tar's name in errors.
        start: where it begins in the file, as for a tar within a tar.
        stop: where it ends.
        head: how many bytes of each content to read along.

    Raises:
        SourceError: it is cut short, damaged, or goes on behind its end.
    """
    stop = os.fstat(descriptor).st_size if stop is None else stop
    at, count = start, 0
    while True:
        try:
            at, header = _next_header(descriptor, at, stop, head)
        except (ValueError, IndexError) as error:
            raise SourceError(
                f"{where}: cut short or damaged after {count} files, or not a tar ({error}); "
                f"fetch it again"
            ) from error
        if header is None:
            _check_end(descriptor, where, at, stop, count)
            return
        data = at
        at += 0 if header.kind in WITHOUT_CONTENT else _padded(header.size)
        if at > stop:
            raise SourceError(
                f"{where}: cut short: {printable(header.name)} would end at byte {at} of {stop}; "
                f"fetch it again"
            )
        if header.kind == FOLDER or (header.plain and header.name.endswith("/")):
            continue
        whole = header.plain and header.size <= head
        refusal = None if header.plain else NOT_REGULAR
        content = header.head[: header.size] if whole else b""
        yield Found(header.name, data, header.size, refusal, content)
        count += 1


class _Header(NamedTuple):
    name: str
    kind: bytes
    size: int
    plain: bool
    head: bytes


def _next_header(descriptor: int, at: int, stop: int, head: int) -> tuple[int, _Header | None]:
    """The header at ``at`` and where its content begins; None at the end mark.

    Raises:
        ValueError: it is cut off or damaged.
    """
    said: dict[bytes, bytes] = {}
    while True:
        block = os.pread(descriptor, min(BLOCK + head, max(stop - at, 0)), at)
        header = block[:BLOCK]
        if header == ZEROS:
            return at, None
        size, kind = _checked_size(header), header[156:157]
        at += BLOCK
        if kind not in EXTENDED:
            break
        said |= _extended(kind, _part(descriptor, size, at, stop))
        at += _padded(size)
    extended = kind == b"S" and header[482]
    while extended:
        extended = _part(descriptor, BLOCK, at, stop)[504]
        at += BLOCK
    name = _member_name(said.get(b"path") or _ustar_name(header))
    size = int(said.get(b"size", size))
    return at, _Header(name, kind, size, kind in PLAIN and b"sparse" not in said, block[BLOCK:])


def _part(descriptor: int, size: int, at: int, stop: int) -> bytes:
    if size > LARGEST_HEADER or at + size > stop:
        raise ValueError("a header is longer than the tar")
    return os.pread(descriptor, size, at)


def _check_end(descriptor: int, where: str, at: int, stop: int, count: int) -> None:
    rest = os.pread(descriptor, min(stop - at, 128 * BLOCK), at)
    if rest.count(0) != len(rest):
        raise SourceError(
            f"{where}: cut short or damaged: its end mark stands after {count} files, and more "
            f"behind it; fetch it again, or join tars with `tar --concatenate`"
        )


def _checked_size(header: bytes) -> int:
    if len(header) < BLOCK:
        raise ValueError("a header is cut off")
    stored = _number(header[148:156])
    fields = header[:148] + b" " * 8 + header[156:]
    if sum(fields) != stored:
        signed = sum(fields) - 256 * sum(byte > 127 for byte in fields)
        if signed != stored:
            raise ValueError("the checksum of a header differs")
    return _number(header[124:136])


def _number(field: bytes) -> int:
    """Octal digits, or base 256 where the first bit is set. Raises ValueError."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    text = field.split(b"\0", 1)[0].strip()
    number = int(text or b"0", 8)
    if number < 0:
        raise ValueError("a size is negative")
    return number


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _extended(kind: bytes, content: bytes) -> dict[bytes, bytes]:
    """What a pax header or a GNU long name says of the next member. Raises ValueError."""
    if kind in (b"L", b"K"):
        return {b"path": content.split(b"\0", 1)[0]} if kind == b"L" else {}
    facts: dict[bytes, bytes] = {}
    if kind == b"g":
        return facts
    while content.strip(b"\0"):
        digits, _, _ = content.partition(b" ")
        length = int(digits)
        record, content = content[len(digits) + 1 : length - 1], content[length:]
        keyword, equals, value = record.partition(b"=")
        if length <= len(digits) or not equals:
            raise ValueError("an extended header that cannot be read")
        facts[b"sparse" if keyword.startswith(b"GNU.sparse") else keyword] = value
    if int(facts.get(b"size", b"0")) < 0:
        raise ValueError("a size is negative")
    return {name: facts[name] for name in (b"path", b"size", b"sparse") if name in facts}


def _ustar_name(header: bytes) -> bytes:
    name = header[:100].split(b"\0", 1)[0]
    prefix = header[345:500].split(b"\0", 1)[0] if header[257:263] == b"ustar\0" else b""
    return prefix + b"/" + name if prefix else name


def _member_name(raw: bytes) -> str:
    name = raw.decode(errors="surrogateescape").removeprefix("./")
    if name.startswith("/") or ".." in name.split("/"):
        folder = "/" if name.endswith("/") else ""
        name = name.rstrip("/").rsplit("/", 1)[-1] + folder
    return name
