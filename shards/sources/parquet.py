"""Images in Parquet files: a column of encoded images, a column of labels.

Files as Hugging Face writes them (``data/test-00000-of-00014.parquet``, ``image: struct<bytes,
path>``, class names in the schema's metadata), or anybody's with the images in a binary column.
Format: https://huggingface.co/docs/datasets/image_dataset, https://parquet.apache.org/docs.
"""

import hashlib
import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shards.errors import SourceError
from shards.image import read_header
from shards.sample import ClassList, Sample, Skipped, webdataset_key
from shards.sources.archive import READ_BYTES
from shards.sources.builtin import builtin_classes, label_index
from shards.sources.source import SourceSpec, digest, printable

IMAGE_COLUMNS = ("image", "img")
LABEL_COLUMNS = ("label", "fine_label")
SPLIT_NAMES = {
    "train": ("train", "training"),
    "val": ("validation", "val", "valid"),
    "validation": ("validation", "val", "valid"),
    "test": ("test", "testing"),
}
UNLABELLED = (None, -1, "", "-1")
IMAGE_ROWS = 64
"""Images taken from a row group at a time: memory grows with the writer's pages, not the group."""
FACT_ROWS = 1 << 14
NUMBERED = re.compile(r".*-\d+-of-(?P<count>\d+)\.parquet")
ANY_SPLIT = {name for names in SPLIT_NAMES.values() for name in names}


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    name: str
    starts: tuple[int, ...]  # the first row of each row group, and the number of rows
    state: tuple[int, int, str]  # bytes, time of the last change (ns), digest of the footer


@dataclass(frozen=True, slots=True)
class _Span:
    """Rows ``first`` to ``last`` of a file: in ``groups``, ``skip`` rows after their start."""

    file: _File
    groups: range
    skip: int
    first: int
    last: int
    index: int  # of row ``first`` among all entries


@dataclass(frozen=True, slots=True)
class _Fact:
    """A row without its image; ``path`` is empty where there is none."""

    index: int
    path: str
    name: str
    label: int | str | None
    texts: Mapping[str, str]


@dataclass(frozen=True)
class _Columns:
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


@dataclass(frozen=True)
class ParquetSource:
    """The rows of Parquet files, file after file; a range is read by its row groups."""

    layout: str
    classes: ClassList
    identity: str
    notes: tuple[str, ...]
    files: tuple[_File, ...] = field(repr=False)
    columns: _Columns = field(repr=False)
    key_prefix: str
    key_digits: int
    key_of_path: Callable[[str], str] = field(repr=False)
    class_field: str | None

    @classmethod
    def open(
        cls,
        files: Sequence[Path],
        classes: ClassList,
        *,
        layout: str,
        image_column: str | None,
        label_column: str | None,
        key_prefix: str,
        key_digits: int = 8,
        key_of_path: Callable[[str], str] = webdataset_key,
        class_field: str | None = None,
        text_columns: Mapping[str, Sequence[str]] | None = None,
    ) -> "ParquetSource":
        """The rows of ``files`` in that order.

        A key is made of the image's path in the file where there is one and no other row's is
        equal, else of ``key_prefix`` and the row's number over all files.

        Args:
            files: the Parquet files; all have the same columns.
            classes: what a label of type int is an index of, or of type string an id or name of.
            layout: what the manifest shall call the layout.
            image_column: a binary column, or a struct of ``bytes`` and ``path``; by default
                ``image`` or ``img``.
            label_column: integers or strings; null and -1 are unlabelled; by default ``label`` or
                ``fine_label``.
            key_prefix: letters, digits, ``_`` and ``-``.
            key_digits: at least that many digits follow the prefix.
            key_of_path: the key that a path would give; importable by name.
            class_field: the field of the samples that takes their class id, e.g. ``wnid``.
            text_columns: integer columns that become text fields, with the text of each integer.

        Raises:
            SourceError: a file is unreadable or lacks a column, or its own class names are those of
                ``classes`` in another order.
        """
        paths = tuple(files)
        if not paths:
            raise SourceError(f"{layout}: no Parquet files; point `location` at them")
        schemas = [_schema(path) for path in paths]
        texts = dict(text_columns or {})
        columns = _columns(paths[0], schemas[0], image_column, label_column, texts)
        for path, schema in zip(paths[1:], schemas[1:], strict=True):
            if _columns(path, schema, image_column, label_column, texts) != columns:
                raise SourceError(f"{path}: other columns than {paths[0].name}; mend or remove it")
        for path, schema in zip(paths, schemas, strict=True):
            _refuse_other_classes(path, feature_names(schema, columns.label), classes)
        opened = tuple(_opened(path) for path in paths)
        state = [[file.name, file.starts, file.state] for file in opened]
        notes = [] if columns.label else ["no column of labels: every sample is unlabelled"]
        source = cls(
            layout=layout,
            classes=classes,
            identity="",
            notes=(*notes, *_missing_files(paths)),
            files=opened,
            columns=columns,
            key_prefix=key_prefix,
            key_digits=key_digits,
            key_of_path=key_of_path,
            class_field=class_field,
        )
        return replace(source, identity=digest("parquet", state, source._reading))

    def __len__(self) -> int:
        return sum(file.starts[-1] for file in self.files)

    def read(self, start: int, stop: int) -> Iterator[Sample | Skipped]:
        columns = [self.columns.image_bytes, *self.columns.facts]
        for fact, image in self._rows(start, stop, columns, IMAGE_ROWS):
            yield self._sample(fact, image)

    def range_identity(self, start: int, stop: int) -> str:
        """Keys, names and labels as they are, images by the state of their files."""
        places = [[span.file.state, span.first, span.last] for span in self._spans(start, stop)]
        rows = self._rows(start, stop, self.columns.facts, FACT_ROWS)
        facts = [[self._key(fact), fact.name, fact.label, fact.texts] for fact, _ in rows]
        return digest("parquet", places, facts, self._reading)

    def labels(self) -> list[int | None]:
        if self.columns.label is None:
            return [None] * len(self)
        rows = self._rows(0, len(self), [self.columns.label], FACT_ROWS)
        return [self._class_index(fact.label) for fact, _ in rows]

    @property
    def _reading(self) -> list[object]:
        """How rows become samples: part of every identity."""
        texts = {name: list(words) for name, words in self.columns.texts.items()}
        ids = [self.classes.ids, self.classes.names, self.class_field]
        keys = [self.key_prefix, self.key_digits, self.key_of_path.__qualname__]
        return [self.columns.image, self.columns.label, texts, ids, keys]

    def _sample(self, fact: _Fact, image: bytes | None) -> Sample | Skipped:
        label = self._class_index(fact.label)
        if label is None and fact.label not in UNLABELLED:
            return Skipped(fact.name, f"no such class: {fact.label}")
        if image is None:
            return Skipped(fact.name, "no image in its row")
        try:
            header = read_header(image)
        except ValueError as error:
            return Skipped(fact.name, str(error))
        fields: dict[str, str | int] = dict(fact.texts)
        if self.class_field and label is not None:
            fields[self.class_field] = self.classes.ids[label]
        return Sample(self._key(fact), image, header, label, fact.name, fields)

    def _class_index(self, label: int | str | None) -> int | None:
        if isinstance(label, int):
            return label if 0 <= label < len(self.classes) else None
        return self._index_of.get(label) if label else None

    @cached_property
    def _index_of(self) -> Mapping[str, int]:
        return label_index(self.classes)

    def _key(self, fact: _Fact) -> str:
        key = self.key_of_path(fact.path) if fact.path else ""
        if key and key not in self._unfit_keys:
            return key
        return f"{self.key_prefix}_{fact.index:0{self.key_digits}d}"

    @cached_property
    def _unfit_keys(self) -> frozenset[str]:
        """Keys of several paths; and, if any row goes by its number, those like such a number."""
        if not self.columns.has_path:
            return frozenset()
        chunks = [pa.array([], pa.string())]
        keys: list[str] = []
        for fact, _ in self._rows(0, len(self), [f"{self.columns.image}.path"], FACT_ROWS):
            if fact.path:
                keys.append(self.key_of_path(fact.path))
            if len(keys) == FACT_ROWS:  # as Arrow they take a fifth of the memory
                chunks.append(pa.array(keys, pa.string()))
                keys = []
        found = pa.chunked_array([*chunks, pa.array(keys, pa.string())])
        counted = pc.value_counts(found)
        unfit = pc.greater(counted.field("counts"), 1)
        if len(found) < len(self) or pc.any(unfit).as_py():
            numbered = f"^{self.key_prefix}_[0-9]+$"
            unfit = pc.or_(unfit, pc.match_substring_regex(counted.field("values"), numbered))
        return frozenset(counted.field("values").filter(unfit).to_pylist())

    def _rows(
        self, start: int, stop: int, columns: list[str], at_a_time: int
    ) -> Iterator[tuple[_Fact, bytes | None]]:
        """What ``columns`` say of the rows of a range, in order."""
        for span in self._spans(start, stop):
            rows = islice(_rows(span, columns, at_a_time), span.skip, None)
            for place, row in zip(range(span.first, span.last), rows, strict=False):
                yield self._parsed(row, span, place)

    def _parsed(
        self, row: Mapping[str, Any], span: _Span, place: int
    ) -> tuple[_Fact, bytes | None]:
        cell = row.get(self.columns.image)
        if self.columns.in_struct:
            cell = cell or {}
            image, path = cell.get("bytes"), _relative(cell.get("path") or "")
        else:
            image, path = cell, ""
        texts = {
            name: words[value]
            for name, words in self.columns.texts.items()
            if (value := row.get(name)) is not None and 0 <= value < len(words)
        }
        label = row.get(self.columns.label) if self.columns.label else None
        name = path or f"{span.file.name}[{place}]"
        return _Fact(span.index + place - span.first, path, name, label, texts), image

    def _spans(self, start: int, stop: int) -> Iterator[_Span]:
        """The parts of files that make up the entries ``start`` to ``stop``."""
        before = 0  # entries in the files before
        for file in self.files:
            first, last = max(start - before, 0), min(stop - before, file.starts[-1])
            if first < last:
                group = bisect_right(file.starts, first) - 1
                groups = range(group, bisect_left(file.starts, last))
                skip = first - file.starts[group]
                yield _Span(file, groups, skip, first, last, before + first)
            before += file.starts[-1]


def open_parquet(spec: SourceSpec, split: str) -> ParquetSource:
    """The Parquet file at ``spec.location``, or those of ``split`` below it.

    Classes are those of the plan, else those that Hugging Face's library wrote into the schema.

    Raises:
        SourceError: no such files, or nothing says what the classes are.
    """
    files = split_files(spec.location, split)
    classes = _declared_classes(spec)
    if classes is None:
        schema = _schema(files[0])
        columns = _columns(files[0], schema, spec.image_column, spec.label_column, {})
        names = feature_names(schema, columns.label)
        if not names:
            raise SourceError(
                f"{files[0]}: its schema names no classes; give `classes` in the plan, in "
                f"the order of the labels"
            )
        classes = _class_list(names, str(files[0]))
    return ParquetSource.open(
        files,
        classes,
        layout="parquet",
        image_column=spec.image_column,
        label_column=spec.label_column,
        key_prefix=webdataset_key(split)[:70],
    )


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
    names = SPLIT_NAMES.get(split, (split,))
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


def feature_names(schema: pa.Schema, label_column: str | None) -> tuple[str, ...]:
    """The class names that Hugging Face's library keeps in a schema; empty where there are none."""
    try:
        told = json.loads((schema.metadata or {})[b"huggingface"])
        names = told["info"]["features"][label_column]["names"]
        return tuple(str(name) for name in names)
    except (KeyError, TypeError, ValueError):
        return ()


def _declared_classes(spec: SourceSpec) -> ClassList | None:
    match spec.classes:
        case None:
            return None
        case str():
            return builtin_classes(spec.classes)
        case tuple():
            return _class_list(spec.classes, "classes")


def _class_list(names: tuple[str, ...], where: str) -> ClassList:
    try:
        return ClassList.of_names(names)
    except ValueError as error:
        raise SourceError(f"{where}: {error}; give `classes` in the plan") from error


def _split_word(stem: str) -> str:
    return re.split(r"[-_.]", stem, maxsplit=1)[0].lower()


def _tells_split(path: Path, location: Path) -> bool:
    folders = path.relative_to(location).parts[:-1]
    return _split_word(path.stem) in ANY_SPLIT or any(part in ANY_SPLIT for part in folders)


def _of(path: Path) -> str | None:
    matched = NUMBERED.fullmatch(path.name)
    return matched["count"] if matched else None


def _missing_files(paths: tuple[Path, ...]) -> list[str]:
    numbered = [matched for path in paths if (matched := NUMBERED.fullmatch(path.name))]
    if not numbered or len(numbered) >= int(numbered[0]["count"]):
        return []
    return [f"{len(numbered)} of the {int(numbered[0]['count'])} Parquet files are there"]


def _schema(path: Path) -> pa.Schema:
    with _readable(path) as file:
        return file.schema_arrow


def _opened(path: Path) -> _File:
    with _readable(path) as file:
        metadata = file.metadata
        groups = (metadata.row_group(i).num_rows for i in range(metadata.num_row_groups))
        starts = tuple(accumulate(groups, initial=0))
        footer_bytes = metadata.serialized_size
    stat = path.stat()
    with path.open("rb") as raw:
        raw.seek(max(stat.st_size - footer_bytes - 8, 0))
        footer = hashlib.sha256(raw.read()).hexdigest()
    return _File(path, printable(path.name), starts, (stat.st_size, stat.st_mtime_ns, footer))


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


def _rows(span: _Span, columns: list[str], at_a_time: int) -> Iterator[dict[str, Any]]:
    """The rows of the span's row groups; column chunks are never in memory as a whole."""
    with _readable(span.file.path) as opened:
        if not columns:
            yield from ({} for _ in range(span.skip + span.last - span.first))
            return
        batches = opened.iter_batches(at_a_time, list(span.groups), columns, use_threads=False)
        for batch in batches:
            yield from batch.to_pylist()


def _columns(
    path: Path,
    schema: pa.Schema,
    image: str | None,
    label: str | None,
    texts: Mapping[str, Sequence[str]],
) -> _Columns:
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
    return _Columns(
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


def _refuse_other_classes(path: Path, told: tuple[str, ...], classes: ClassList) -> None:
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
