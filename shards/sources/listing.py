"""The table of entries that a source keeps of a folder or a tar: names, sizes and places, known
without reading contents; flat in memory and quick to send to another process.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shards.image import read_header
from shards.sample import ClassList, Sample, Skipped, webdataset_key
from shards.sources.source import digest

LARGEST_IMAGE = 256 << 20
CHUNK = 4096
UNLABELLED = -1

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
        for number, path, name, place, size, label in self._facts(start, stop):
            key = self.keys.get(number) or webdataset_key(name)
            yield Entry(number, path, name, place, size, label, key, self.refusals.get(number))

    def _facts(
        self, start: int, stop: int
    ) -> Iterator[tuple[int, bytes, str, int, int, int | None]]:
        stop = min(stop, len(self))
        columns = (self.places, self.sizes, self.marks)
        paths = self.paths.slice(start, max(stop - start, 0)).to_pylist()
        facts = zip(paths, *(column[start:stop].tolist() for column in columns), strict=True)
        for number, (path, place, size, mark) in enumerate(facts, start):
            name = path.decode(errors="replace")
            yield number, path, name, place, size, None if mark == UNLABELLED else mark

    def range_digest(self, start: int, stop: int, *facts: object) -> str:
        """A digest of all that is known of these entries, and of ``facts``."""
        rows = [
            (name, place, size, label, self.keys.get(number), self.refusals.get(number))
            for number, _, name, place, size, label in self._facts(start, stop)
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
