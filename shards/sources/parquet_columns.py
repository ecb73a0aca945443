"""The columns of Parquet files: which hold images, labels and texts, and the classes they name."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from shards.errors import SourceError
from shards.sample import ClassList
from shards.sources.builtin import builtin_classes
from shards.sources.parquet_files import Span
from shards.sources.source import SourceSpec

IMAGE_COLUMNS = ("image", "img")
LABEL_COLUMNS = ("label", "fine_label")


@dataclass(frozen=True, slots=True)
class Fact:
    """A row without its image; ``path`` is empty where there is none."""

    index: int
    path: str
    name: str
    label: int | str | None
    texts: Mapping[str, str]


@dataclass(frozen=True)
class Columns:
    """The columns that a source reads: of images, of labels and of texts."""

    image: str
    in_struct: bool
    has_path: bool
    label: str | None
    texts: Mapping[str, Sequence[str]]

    @property
    def facts(self) -> list[str]:
        """The leaves that are not image bytes."""
        path = [f"{self.image}.path"] if self.has_path else []
        return [*path, *([self.label] if self.label else []), *self.texts]

    @property
    def image_bytes(self) -> str:
        return f"{self.image}.bytes" if self.in_struct else self.image

    def parsed(self, row: Mapping[str, Any], span: Span, place: int) -> tuple[Fact, bytes | None]:
        """What ``row`` says, number ``place`` of the span's file, and its image."""
        cell = row.get(self.image)
        if self.in_struct:
            cell = cell or {}
            image, path = cell.get("bytes"), _relative(cell.get("path") or "")
        else:
            image, path = cell, ""
        texts = {
            name: words[value]
            for name, words in self.texts.items()
            if (value := row.get(name)) is not None and 0 <= value < len(words)
        }
        label = row.get(self.label) if self.label else None
        name = path or f"{span.file.name}[{place}]"
        return Fact(span.index + place - span.first, path, name, label, texts), image


def columns_of(
    path: Path,
    schema: pa.Schema,
    image: str | None,
    label: str | None,
    texts: Mapping[str, Sequence[str]],
) -> Columns:
    """The columns of these names in ``schema``, else those of the usual names."""
    there = ", ".join(schema.names)
    found = image or next((name for name in IMAGE_COLUMNS if name in schema.names), None)
    if found is None or found not in schema.names:
        wanted = found or " or ".join(IMAGE_COLUMNS)
        raise SourceError(f"{path}: no column {wanted} among {there}; name it as `image_column`")
    kind = schema.field(found).type
    children = [child.name for child in kind] if pa.types.is_struct(kind) else []
    if not (_is_binary(kind) or ("bytes" in children and _is_binary(kind.field("bytes").type))):
        raise SourceError(
            f"{path}: the column {found} is {kind}, not encoded images (binary, or a struct with "
            f"bytes); name another as `image_column`"
        )
    return Columns(
        image=found,
        in_struct=bool(children),
        has_path="path" in children and _is_text(kind.field("path").type),
        label=_label_column(path, schema, label, found),
        texts={name: words for name, words in texts.items() if name in schema.names},
    )


def _label_column(path: Path, schema: pa.Schema, label: str | None, image: str) -> str | None:
    possible = [column.name for column in schema if column.name != image and _is_label(column.type)]
    found = label or next((name for name in LABEL_COLUMNS if name in schema.names), None)
    if found in possible:
        return found
    if found is None and not possible:
        return None
    if found in schema.names:
        raise SourceError(
            f"{path}: the column {found} is {schema.field(found).type}, not integers or text; name "
            f"another as `label_column`"
        )
    wanted = found or " or ".join(LABEL_COLUMNS)
    raise SourceError(
        f"{path}: no column {wanted} among {', '.join(schema.names)}; name it as `label_column`"
    )


def _is_binary(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind))


def _is_text(kind: pa.DataType) -> bool:
    types = pa.types
    if types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _is_label(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_null(kind)) or _is_text(kind)


def feature_names(schema: pa.Schema, label_column: str | None) -> tuple[str, ...]:
    """The class names that Hugging Face's library keeps in a schema; empty where there are none."""
    try:
        told = json.loads((schema.metadata or {})[b"huggingface"])
        names = told["info"]["features"][label_column]["names"]
        return tuple(str(name) for name in names)
    except (KeyError, TypeError, ValueError):
        return ()


def declared_classes(spec: SourceSpec) -> ClassList | None:
    """The classes that the plan names, if any."""
    match spec.classes:
        case None:
            return None
        case str():
            return builtin_classes(spec.classes)
        case tuple():
            return class_list(spec.classes, "classes")


def class_list(names: tuple[str, ...], where: str) -> ClassList:
    """The classes of these names; ``where`` says whose they are in errors."""
    try:
        return ClassList.of_names(names)
    except ValueError as error:
        raise SourceError(f"{where}: {error}; give `classes` in the plan") from error


def refuse_other_classes(path: Path, told: tuple[str, ...], classes: ClassList) -> None:
    """Integer labels count in the order of the schema's names, whatever the plan says."""
    another_order = any(
        told != known and sorted(told) == sorted(known) for known in (classes.ids, classes.names)
    )
    if told and (another_order or len(told) != len(classes)):
        fault = "in another order" if another_order else f"not {len(classes)}"
        raise SourceError(
            f"{path}: its schema names {len(told)} classes, {fault}; give `classes` in the order "
            f"of the schema ({', '.join(told[:3])}, …)"
        )


def _relative(path: str) -> str:
    """Paths of the machine that wrote the file are cut to their last part."""
    if path.startswith(("/", "\\")) or re.match(r"[A-Za-z]:[/\\]", path):
        return re.split(r"[/\\]", path)[-1]
    return path
