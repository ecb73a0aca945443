"""Images in Parquet files: a column of encoded images, a column of labels.

Files as Hugging Face writes them (``data/test-00000-of-00014.parquet``, ``image: struct<bytes,
path>``, class names in the schema's metadata), or anybody's with the images in a binary column.
Format: https://huggingface.co/docs/datasets/image_dataset, https://parquet.apache.org/docs.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from shards.errors import SourceError
from shards.image import read_header
from shards.sample import ClassList, Sample, Skipped, webdataset_key
from shards.sources.builtin import label_index
from shards.sources.parquet_columns import (
    Columns,
    Fact,
    class_list,
    columns_of,
    declared_classes,
    feature_names,
    refuse_other_classes,
)
from shards.sources.parquet_files import (
    File,
    file_of,
    missing_files,
    rows_of,
    schema_of,
    spans_of,
    split_files,
)
from shards.sources.source import SourceSpec, digest

UNLABELLED = (None, -1, "", "-1")
IMAGE_ROWS = 64
"""Images taken from a row group at a time: memory grows with the writer's pages, not the group."""
FACT_ROWS = 1 << 14


@dataclass(frozen=True)
class ParquetSource:
    """The rows of Parquet files, file after file; a range is read by its row groups."""

    layout: str
    classes: ClassList
    identity: str
    notes: tuple[str, ...]
    files: tuple[File, ...] = field(repr=False)
    columns: Columns = field(repr=False)
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
        schemas = [schema_of(path) for path in paths]
        texts = dict(text_columns or {})
        columns = columns_of(paths[0], schemas[0], image_column, label_column, texts)
        for path, schema in zip(paths[1:], schemas[1:], strict=True):
            if columns_of(path, schema, image_column, label_column, texts) != columns:
                raise SourceError(f"{path}: other columns than {paths[0].name}; mend or remove it")
        for path, schema in zip(paths, schemas, strict=True):
            refuse_other_classes(path, feature_names(schema, columns.label), classes)
        opened = tuple(file_of(path) for path in paths)
        state = [[file.name, file.starts, file.state] for file in opened]
        notes = [] if columns.label else ["no column of labels: every sample is unlabelled"]
        source = cls(
            layout=layout,
            classes=classes,
            identity="",
            notes=(*notes, *missing_files(paths)),
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
        places = [
            [span.file.state, span.first, span.last] for span in spans_of(self.files, start, stop)
        ]
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

    def _sample(self, fact: Fact, image: bytes | None) -> Sample | Skipped:
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

    def _key(self, fact: Fact) -> str:
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
    ) -> Iterator[tuple[Fact, bytes | None]]:
        """What ``columns`` say of the rows of a range, in order."""
        for span in spans_of(self.files, start, stop):
            rows = islice(rows_of(span, columns, at_a_time), span.skip, None)
            for place, row in zip(range(span.first, span.last), rows, strict=False):
                yield self.columns.parsed(row, span, place)


def open_parquet(spec: SourceSpec, split: str) -> ParquetSource:
    """The Parquet file at ``spec.location``, or those of ``split`` below it.

    Classes are those of the plan, else those that Hugging Face's library wrote into the schema.

    Raises:
        SourceError: no such files, or nothing says what the classes are.
    """
    files = split_files(spec.location, split)
    classes = declared_classes(spec)
    if classes is None:
        schema = schema_of(files[0])
        columns = columns_of(files[0], schema, spec.image_column, spec.label_column, {})
        names = feature_names(schema, columns.label)
        if not names:
            raise SourceError(
                f"{files[0]}: its schema names no classes; give `classes` in the plan, in "
                f"the order of the labels"
            )
        classes = class_list(names, str(files[0]))
    return ParquetSource.open(
        files,
        classes,
        layout="parquet",
        image_column=spec.image_column,
        label_column=spec.label_column,
        key_prefix=webdataset_key(split)[:70],
    )
