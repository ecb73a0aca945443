"""The Parquet files of a split: which they are, what their footers tell, and rows out of them."""

import hashlib
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from shards.errors import SourceError
from shards.sources.archive import READ_BYTES
from shards.sources.files import refuse_changed
from shards.sources.listing import split_names
from shards.sources.source import printable

MORE_NAMES: Mapping[str, tuple[str, ...]] = {
    "train": ("training",),
    "val": ("valid",),
    "validation": ("valid",),
    "test": ("testing",),
}
"""What Parquet files of a split are called besides ``split_names``."""
ANY_SPLIT = {name for split, more in MORE_NAMES.items() for name in (*split_names(split), *more)}
NUMBERED = re.compile(r".*-\d+-of-(?P<count>\d+)\.parquet")


@dataclass(frozen=True, slots=True)
class File:
    """A Parquet file as far as its footer tells of it."""

    path: Path
    name: str
    starts: tuple[int, ...]  # the first row of each row group, and the number of rows
    state: tuple[int, int, str]  # bytes, time of the last change (ns), digest of the footer


@dataclass(frozen=True, slots=True)
class Span:
    """Rows ``first`` to ``last`` of a file: in ``groups``, ``skip`` rows after their start."""

    file: File
    groups: range
    skip: int
    first: int
    last: int
    index: int  # of row ``first`` among all entries


def split_files(location: Path, split: str) -> list[Path]:
    """The Parquet files of ``split`` at or below ``location``, by name; a file stands for itself.

    ``<split>-00000-of-00014.parquet`` or ``<split>.parquet`` anywhere below, else the files in a
    folder called like the split, else all files if no name tells of any split.

    Raises:
        SourceError: there are none, or two sets of them.
    """
    if location.is_file():
        return [location]
    files = sorted(
        path
        for path in location.rglob("*.parquet")
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(location).parts)
    )
    names = _names_of(split)
    chosen = (
        [path for path in files if _split_word(path.stem) in names]
        or [path for path in files if path.parent.name in names]
        or ([] if any(_tells_split(path, location) for path in files) else files)
    )
    if not chosen:
        raise SourceError(
            f"{location}: no Parquet file of the split {split!r} here "
            f"({', '.join(path.name for path in files[:3]) or 'none at all'}); point `location` at "
            f"a file, or at a folder with {split}-00000-of-00001.parquet"
        )
    sets = {(path.parent, _of(path)) for path in chosen}
    if len(sets) > 1:
        folders = sorted({path.parent.relative_to(location).as_posix() for path in chosen})
        raise SourceError(
            f"{location}: several sets of Parquet files of the split {split!r} (in "
            f"{', '.join(folders)}); point `location` at one"
        )
    return chosen


def _names_of(split: str) -> tuple[str, ...]:
    return (*split_names(split), *MORE_NAMES.get(split, ()))


def _split_word(stem: str) -> str:
    return re.split(r"[-_.]", stem, maxsplit=1)[0].lower()


def _tells_split(path: Path, location: Path) -> bool:
    folders = path.relative_to(location).parts[:-1]
    return _split_word(path.stem) in ANY_SPLIT or any(part in ANY_SPLIT for part in folders)


def _of(path: Path) -> str | None:
    matched = NUMBERED.fullmatch(path.name)
    return matched["count"] if matched else None


def missing_files(paths: tuple[Path, ...]) -> list[str]:
    """A note where files are fewer than the number in their names."""
    numbered = [matched for path in paths if (matched := NUMBERED.fullmatch(path.name))]
    if not numbered or len(numbered) >= int(numbered[0]["count"]):
        return []
    return [f"{len(numbered)} of the {int(numbered[0]['count'])} Parquet files are there"]


def schema_of(path: Path) -> pa.Schema:
    """The schema of the Parquet file at ``path``."""
    with _readable(path) as file:
        return file.schema_arrow


def file_of(path: Path) -> File:
    """What the footer and the file system tell of the file at ``path``."""
    with _readable(path) as file:
        metadata = file.metadata
        groups = (metadata.row_group(i).num_rows for i in range(metadata.num_row_groups))
        starts = tuple(accumulate(groups, initial=0))
        footer_bytes = metadata.serialized_size
    stat = path.stat()
    with path.open("rb") as raw:
        raw.seek(max(stat.st_size - footer_bytes - 8, 0))
        footer = hashlib.sha256(raw.read()).hexdigest()
    return File(path, printable(path.name), starts, (stat.st_size, stat.st_mtime_ns, footer))


@contextmanager
def _readable(path: Path) -> Iterator[pq.ParquetFile]:
    try:
        with pq.ParquetFile(path, buffer_size=READ_BYTES, pre_buffer=False) as file:
            yield file
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        told = " ".join(str(error).split())
        raise SourceError(
            f"{path}: cut short, damaged or no Parquet file ({told}); fetch it again"
        ) from error


def spans_of(files: Sequence[File], start: int, stop: int) -> Iterator[Span]:
    """The parts of ``files`` that make up the entries ``start`` to ``stop``."""
    before = 0  # entries in the files before
    for file in files:
        first, last = max(start - before, 0), min(stop - before, file.starts[-1])
        if first < last:
            group = bisect_right(file.starts, first) - 1
            groups = range(group, bisect_left(file.starts, last))
            skip = first - file.starts[group]
            yield Span(file, groups, skip, first, last, before + first)
        before += file.starts[-1]


def rows_of(span: Span, columns: list[str], at_a_time: int) -> Iterator[dict[str, Any]]:
    """The rows of the span's row groups; column chunks are never in memory as a whole.

    Raises:
        SourceError: the file is unreadable, or another than when it was opened.
    """
    refuse_changed(span.file.path, span.file.state[:2])
    with _readable(span.file.path) as opened:
        if not columns:
            yield from ({} for _ in range(span.skip + span.last - span.first))
            return
        batches = opened.iter_batches(at_a_time, list(span.groups), columns, use_threads=False)
        for batch in batches:
            rows = batch.to_pylist()
            refuse_changed(span.file.path, span.file.state[:2])
            yield from rows
