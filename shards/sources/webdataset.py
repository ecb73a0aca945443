"""Existing WebDataset shards: plain tars, a sample's members side by side, read in place.

A member's name up to the first dot of its base name is the key, what follows is the field. Fields
as timm's and CLIP_benchmark's readers know them: ``jpg``, ``jpeg``, ``png`` or ``webp``, ``cls``
(the class index; -1 is unlabelled), ``json``. Format: https://github.com/webdataset/webdataset.
"""

import json
import os
import re
import zlib
from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shards.errors import ShardError, SourceError
from shards.manifest import MANIFEST_NAME, Manifest
from shards.sample import ClassList, Sample, Skipped
from shards.samples import SCHEMA
from shards.sources.builtin import builtin_classes
from shards.sources.listing import (
    EVERYTHING,
    Entries,
    Found,
    read_in_place,
    sample_of,
    scan_tar,
    split_names,
)
from shards.sources.source import SourceSpec, digest, printable

IMAGE_FIELDS = ("jpg", "jpeg", "png", "webp")
PACKED = (".tar.gz", ".tgz", ".tar.zst", ".tar.xz", ".tar.bz2")
HEAD = 7 * 512
LARGEST_JSON = 1 << 20
HIGHEST = 1 << 31
SOURCE_NAME = "source_name"
CLASS_NAMES = "classnames.txt"
SHARD_COUNT = "nshards.txt"
SPLIT_WORDS = ("train", "val", "validation", "test")
SURROGATES = re.compile("[\ud800-\udfff]")
NO_SAMPLE = "not named key.field"


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
    match spec.classes:
        case None:
            classes = _classes_beside(shards[0].parent)
        case tuple():
            classes = _of_names(spec.classes, "classes")
        case _:
            classes = builtin_classes(spec.classes)
    return open_shards(shards, classes)


def find_shards(location: Path, split: str, include: str = EVERYTHING) -> list[Path]:
    """The tars of ``split`` by name, numbers in their order; empty if there are none.

    Without ``include`` these are the tars in a sub-folder called like the split, else those of the
    location; of them, if names end in a split and a number, the ones of this split.

    Raises:
        SourceError: shards that ought to be there are not, or they are packed.
    """
    if location.is_file():
        return [location]
    if include != EVERYTHING:
        try:
            chosen = [path for path in location.glob(include) if path.is_file()]
        except (ValueError, NotImplementedError) as error:
            raise SourceError(f"include {include!r} is not a glob: {error}") from error
        return sorted(chosen, key=_by_number)
    for folder in (*(location / name for name in split_names(split)), location):
        tars = sorted((p for p in folder.glob("*.tar") if p.name[0] != "."), key=_by_number)
        if tars:
            _check_complete(folder, tars)
            return _of_split(tars, split)
        if packed := [path for path in folder.glob("*") if path.name.endswith(PACKED)]:
            raise SourceError(f"{packed[0]} is packed; unpack it to a plain .tar to read it")
    return []


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
    reading = _Reading()
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
            yield from self._read_tar(self.shards[tar], start, end)
            start = end

    def _read_tar(self, tar: Path, start: int, stop: int) -> Iterator[Sample | Skipped]:
        with tar.open("rb") as file:
            for entry, image in read_in_place(tar, self.entries.rows(start, stop)):
                if entry.refusal is not None:
                    yield Skipped(entry.name, entry.refusal)
                    continue
                offset, size, _ = self.jsons[entry.number].tolist()
                said = _parsed(os.pread(file.fileno(), size, offset)) or {}
                name = said.get(SOURCE_NAME)
                if isinstance(name, str) and name:
                    entry = entry._replace(name=name)  # noqa: PLW2901 the same entry
                yield sample_of(entry, image, self._fields(said, entry.label))

    def _fields(self, said: Mapping[str, object], label: int | None) -> dict[str, str | int]:
        fields = {
            name: str(value) if self.text_fields[name] else value
            for name, value in said.items()
            if name in self.text_fields and _is_plain(value) and isinstance(value, str | int)
        }
        if self.class_field is not None and label is not None:
            fields[self.class_field] = self.classes.ids[label]
        return fields


class _Reading:
    """What was met so far while tars are listed one after another; a row for each sample."""

    def __init__(self) -> None:
        self.keys: set[str] = set()
        self.kinds: defaultdict[str, set[str]] = defaultdict(set)
        self.unreadable = 0
        self.tars, self.jsons = array("i"), array("q")
        self.tar = -1

    def scan(self, tar: Path) -> Iterator[tuple[Found, int | str | None]]:
        """The images of the next tar, without their contents. Raises SourceError."""
        self.tar += 1
        try:
            with tar.open("rb") as file:
                members = scan_tar(file.fileno(), str(tar), head=HEAD)
                for key, group in groupby(members, lambda member: _split_name(member)[0]):
                    if key is None:
                        for member in group:
                            self._note_row(None, b"")
                            yield member._replace(head=b""), NO_SAMPLE
                    else:
                        yield self._sample(key, list(group), file.fileno())
        except OSError as error:
            raise SourceError(f"{tar} cannot be read ({error}); make it readable") from error

    def _sample(
        self, key: str, members: list[Found], descriptor: int
    ) -> tuple[Found, int | str | None]:
        fields = [_split_name(member)[1] for member in members]
        by_field = dict(zip(fields, members, strict=True))
        images = [name for name in by_field if name in IMAGE_FIELDS]
        found = by_field[images[0]] if images else members[0]
        label = _label(by_field.get("cls"))
        if key in self.keys:
            label = "duplicate key"
        elif len(by_field) < len(fields):
            label = f"two members {max(fields, key=fields.count)}"
        elif len(images) != 1:
            label = f"{len(images)} images: {', '.join(images)}" if images else "no image"
        self.keys.add(key)
        said, raw = by_field.get("json"), b""
        if said and not isinstance(label, str):
            raw = said.head or os.pread(descriptor, min(said.size, LARGEST_JSON), said.place)
            self._note_kinds(_parsed(raw))
        self._note_row(said, raw)
        return found._replace(head=b""), label

    def _note_row(self, said: Found | None, raw: bytes) -> None:
        self.tars.append(self.tar)
        self.jsons.extend((said.place, len(raw), zlib.crc32(raw)) if said else (0, 0, 0))

    def _note_kinds(self, said: dict[str, object] | None) -> None:
        self.unreadable += said is None
        for name, value in (said or {}).items():
            if value is not None:
                self.kinds[name].add(type(value).__name__ if _is_plain(value) else "other")

    def text_fields(self) -> dict[str, bool]:
        """The fields that are kept: whether they are text, because some of their values are."""
        return {
            name: "str" in kinds
            for name, kinds in sorted(self.kinds.items())
            if kinds & {"str", "int"} and name not in SCHEMA.names
        }

    def notes(self) -> Iterator[str]:
        taken = set(SCHEMA.names)
        columns = sorted(self.kinds.keys() & taken - {SOURCE_NAME})
        others = sorted(name for name, kinds in self.kinds.items() if "other" in kinds)
        others = [name for name in others if name not in taken]
        if columns:
            yield f"json fields with names of columns were left out: {', '.join(columns)}"
        if others:
            yield f"json values that are no text or integer were left out: {', '.join(others)}"
        if self.unreadable:
            yield f"json of {self.unreadable} samples cannot be read"


def _split_name(member: Found) -> tuple[str | None, str]:
    folder, slash, base = member.name.rpartition("/")
    stem, dot, suffix = base.partition(".")
    if member.refusal is not None or not stem or not dot:
        return None, ""
    return f"{folder}{slash}{stem}", suffix.lower()


def _label(member: Found | None) -> int | str | None:
    """What a ``cls`` says: a class index, or why it is none; None without it, or if it is -1."""
    if member is None:
        return None
    try:
        label = int(member.head)
    except ValueError:
        return "its cls is no number"
    if label == -1:
        return None
    return label if 0 <= label < HIGHEST else f"no such class: {label}"


def _parsed(raw: bytes) -> dict[str, object] | None:
    try:
        said = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    return {_writable(name): _writable(value) for name, value in said.items()}


def _writable(value: Any) -> Any:
    """Text without the half characters that JSON can spell and UTF-8 cannot."""
    return SURROGATES.sub("\ufffd", value) if isinstance(value, str) else value


def _is_plain(value: object) -> bool:
    if isinstance(value, int):
        return not isinstance(value, bool) and -(1 << 63) <= value < 1 << 63
    return isinstance(value, str)


def _by_number(path: Path) -> list[int | str]:
    pieces = re.split(r"([0-9]+)", path.as_posix())
    return [int(piece) if odd % 2 else piece for odd, piece in enumerate(pieces)]


def _of_split(tars: Sequence[Path], split: str) -> list[Path]:
    """Those whose name ends in the split and a number; all, if none ends in any split."""
    words = {tar: _last_word(tar.stem) for tar in tars}
    ours = [tar for tar in tars if words[tar] in split_names(split)]
    others = sorted({word for word in words.values() if word in SPLIT_WORDS})
    if not ours and others:
        raise SourceError(f"{tars[0].parent} has shards of {', '.join(others)}, none of {split}")
    return ours or list(tars)


def _last_word(stem: str) -> str:
    """``validation`` of ``imagenet1k-validation-00`` or ``x_validation_00-of-64``."""
    return re.split(r"[-_.]", re.sub(r"[-_.]*[0-9]+([-_.]of[-_.][0-9]+)?$", "", stem))[-1].lower()


def _check_complete(folder: Path, tars: Sequence[Path]) -> None:
    there = {tar.name for tar in tars}
    count = folder / SHARD_COUNT
    if count.is_file():
        text = count.read_text(errors="replace").strip()
        if text != str(len(there)):
            raise SourceError(f"{count} says {text} shards, {len(there)} are there; fetch them all")
    manifest = _manifest(folder)
    missing = (
        [entry.url for entry in manifest.shardlist if entry.url not in there] if manifest else []
    )
    if missing:
        raise SourceError(f"{folder}: {missing[0]} of {MANIFEST_NAME} is missing; fetch it")


def _manifest(folder: Path) -> Manifest | None:
    path = folder / MANIFEST_NAME
    try:
        return Manifest.from_json(path.read_bytes(), str(path)) if path.is_file() else None
    except ShardError:
        return None  # another tool's


def _classes_beside(folder: Path) -> ClassList | None:
    """By ``classnames.txt`` in the folder or above it, or by a manifest of ours."""
    for path in (folder / CLASS_NAMES, folder.parent / CLASS_NAMES):
        if path.is_file():
            lines = path.read_text("utf-8", errors="replace").splitlines()
            names = tuple(line.strip() for line in lines if line.strip())
            unique = len(set(names)) == len(names)
            return ClassList(names, names if unique else tuple(map(str, range(len(names)))))
    manifest = _manifest(folder)
    return manifest.classes if manifest else None


def _of_names(names: tuple[str, ...], where: str) -> ClassList:
    try:
        return ClassList.of_names(names)
    except ValueError as error:
        raise SourceError(f"{where}: {error}") from error
