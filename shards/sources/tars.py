"""The members of a plain tar: listed by their headers alone, and read in place.

The standard library's ``tarfile`` does not do: it stops silently at a damaged header, as if the tar
ended there; it keeps every member in memory; and it cannot scan a region of a file, as a tar within
a tar is.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from shards.errors import SourceError
from shards.sources.files import NOT_REGULAR, changed, refuse_changed
from shards.sources.listing import Entry, Found
from shards.sources.source import printable

LARGEST_HEADER = 1 << 20
BLOCK = 512
ZEROS = bytes(BLOCK)
PLAIN = (b"0", b"\0", b"7")
FOLDER = b"5"
WITHOUT_CONTENT = (b"1", b"2", b"3", b"4", FOLDER, b"6")
EXTENDED = (b"x", b"g", b"L", b"K")


def read_in_place(
    tar: Path, state: tuple[int, int], rows: Iterable[Entry]
) -> Iterator[tuple[Entry, bytes]]:
    """The rows with their contents out of an unpacked tar; nothing is read of refused ones.

    ``state`` is the tar's size and time of change (ns) when it was listed.

    Raises:
        SourceError: it is another now, or has become another at the end.
    """
    refuse_changed(tar, state)
    with tar.open("rb") as file:
        for row in rows:
            content = b"" if row.refusal else os.pread(file.fileno(), row.size, row.place)
            if not row.refusal and len(content) < row.size:
                raise changed(tar)
            yield row, content
    refuse_changed(tar, state)


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
    # The checksum stands for blanks; zeros, most of a header, add nothing.
    written = (header[:148] + header[156:]).translate(None, b"\0")
    unsigned = sum(written) + 8 * ord(" ")
    if unsigned != stored:
        signed = unsigned - 256 * sum(byte > 127 for byte in written)
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
