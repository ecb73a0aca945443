"""The samples of WebDataset shards while they are listed: members grouped by key, labels, and which
fields of their ``json`` are kept.
"""

import json
import os
import re
import zlib
from array import array
from collections import defaultdict
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from shards.errors import SourceError
from shards.samples import SCHEMA
from shards.sources.listing import Found
from shards.sources.tars import scan_tar

IMAGE_FIELDS = ("jpg", "jpeg", "png", "webp")
HEAD = 7 * 512
LARGEST_JSON = 1 << 20
HIGHEST = 1 << 31
SOURCE_NAME = "source_name"
SURROGATES = re.compile("[\ud800-\udfff]")
NO_SAMPLE = "not named key.field"


class Reading:
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
            self._note_kinds(parsed_json(raw))
        self._note_row(said, raw)
        return found._replace(head=b""), label

    def _note_row(self, said: Found | None, raw: bytes) -> None:
        self.tars.append(self.tar)
        self.jsons.extend((said.place, len(raw), zlib.crc32(raw)) if said else (0, 0, 0))

    def _note_kinds(self, said: dict[str, object] | None) -> None:
        self.unreadable += said is None
        for name, value in (said or {}).items():
            if value is not None:
                self.kinds[name].add(type(value).__name__ if is_plain(value) else "other")

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


def parsed_json(raw: bytes) -> dict[str, object] | None:
    """The object that a ``json`` holds, in text that can be written; None if it holds none."""
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


def is_plain(value: object) -> bool:
    """Whether it is text or an integer that a column can hold."""
    if isinstance(value, int):
        return not isinstance(value, bool) and -(1 << 63) <= value < 1 << 63
    return isinstance(value, str)
