"""Existing WebDataset shards: plain tars, a sample's members side by side, read in place.

A member's name up to the first dot of its base name is the key, what follows is the field. Fields
as timm's and CLIP_benchmark's readers know them: ``jpg``, ``jpeg``, ``png`` or ``webp``, ``cls``
(the class index; -1 is unlabelled), ``json``. Format: https://github.com/webdataset/webdataset.
"""

import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shards.errors import SourceError
from shards.sample import ClassList, Sample, Skipped
from shards.sources.listing import Entries, sample_of
from shards.sources.source import SourceSpec, digest, printable
from shards.sources.tars import read_in_place
from shards.sources.webdataset_listing import SOURCE_NAME, Reading, is_plain, parsed_json
from shards.sources.webdataset_shards import find_shards, shard_classes


def open_webdataset(spec: SourceSpec, split: str) -> "WebdatasetSource":
    """The shards of ``split`` at ``spec.location``.

    Raises:
        SourceError: there are none, one is missing or damaged, or nothing says the classes.
    """
    shards = find_shards(spec.location, split, spec.include)
    if not shards:
        raise SourceError(
            f"{spec.location}: no .tar for {split}; point `location` at a folder of shards, or "
            f"name them by a glob as `include`"
        )
    return open_shards(shards, shard_classes(spec, shards[0].parent))


def open_shards(
    shards: Sequence[Path], classes: ClassList | None, class_field: str | None = None
) -> "WebdatasetSource":
    """The samples of these tars in order.

    Args:
        shards: the tars.
        classes: what ``cls`` is an index of; None: numbers up to the highest that occurs.
        class_field: the field of the samples that takes their class id.

    Raises:
        SourceError: a tar is damaged.
    """
    reading = Reading()
    entries = Entries.of(pair for tar in shards for pair in reading.scan(tar))
    if classes is None:
        highest = max((label for label in entries.labels() if label is not None), default=-1)
        classes = ClassList.of_names(tuple(str(label) for label in range(highest + 1)))
    entries = entries.within(len(classes))
    facts = [tar.stat() for tar in shards]
    return WebdatasetSource(
        shards=tuple(shards),
        classes=classes,
        notes=(*reading.notes(), *entries.notes_on(classes)),
        entries=entries,
        states=tuple((fact.st_size, fact.st_mtime_ns) for fact in facts),
        tars=np.array(reading.tars, dtype=np.int32),
        jsons=np.array(reading.jsons, dtype=np.int64).reshape(-1, 3),
        text_fields=reading.text_fields(),
        class_field=class_field,
    )


@dataclass(frozen=True, eq=False)
class WebdatasetSource:
    """The samples of tars, in the tars' order.

    Attributes:
        states: size and time of change of each tar.
        tars: for each entry the position of its tar.
        jsons: for each entry offset, size and checksum of its ``json``; size 0 without one.
        text_fields: for each field that is kept whether it is text, else an integer.
    """

    shards: tuple[Path, ...]
    classes: ClassList
    notes: tuple[str, ...]
    entries: Entries = field(repr=False)
    states: tuple[tuple[int, int], ...] = field(repr=False)
    tars: NDArray[np.int32] = field(repr=False)
    jsons: NDArray[np.int64] = field(repr=False)
    text_fields: Mapping[str, bool]
    class_field: str | None

    @property
    def layout(self) -> str:
        return "webdataset"

    @cached_property
    def identity(self) -> str:
        names = [printable(tar.name) for tar in self.shards]
        return digest(
            [self.entries.digest(), self.range_identity(0, 0), names, self.states],
            zlib.crc32(self.jsons.tobytes()),
            self.classes.ids,
            self.classes.names,
        )

    def __len__(self) -> int:
        return len(self.entries)

    def range_identity(self, start: int, stop: int) -> str:
        touched = np.unique(self.tars[start:stop]).tolist()
        return self.entries.range_digest(
            start,
            stop,
            self.layout,
            [self.states[tar] for tar in touched],
            self.jsons[start:stop].tolist(),
            self.text_fields,
            self.class_field,
        )

    def labels(self) -> list[int | None]:
        return self.entries.labels()

    def read(self, start: int, stop: int) -> Iterator[Sample | Skipped]:
        stop = min(stop, len(self))
        while start < stop:
            tar = int(self.tars[start])
            end = min(stop, int(np.searchsorted(self.tars, tar, side="right")))
            yield from self._read_tar(tar, start, end)
            start = end

    def _read_tar(self, number: int, start: int, stop: int) -> Iterator[Sample | Skipped]:
        tar, state = self.shards[number], self.states[number]
        rows = self.entries.rows(start, stop)
        with tar.open("rb") as file:
            for entry, image in read_in_place(tar, state, rows):
                if entry.refusal is not None:
                    yield Skipped(entry.name, entry.refusal)
                    continue
                offset, size, _ = self.jsons[entry.number].tolist()
                said = parsed_json(os.pread(file.fileno(), size, offset)) or {}
                name = said.get(SOURCE_NAME)
                if isinstance(name, str) and name:
                    entry = entry._replace(name=name)  # noqa: PLW2901 the same entry
                yield sample_of(entry, image, self._fields(said, entry.label))

    def _fields(self, said: Mapping[str, object], label: int | None) -> dict[str, str | int]:
        fields = {
            name: str(value) if self.text_fields[name] else value
            for name, value in said.items()
            if name in self.text_fields and is_plain(value) and isinstance(value, str | int)
        }
        if self.class_field is not None and label is not None:
            fields[self.class_field] = self.classes.ids[label]
        return fields
