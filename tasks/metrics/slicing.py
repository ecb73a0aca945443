"""Which slice each sample lies in: by a field of its own, by its image, by its class."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shards.errors import InputError
from shards.sample import ClassList
from shards.sources.builtin import label_index
from tasks.metrics.spec import (
    ASPECT,
    ASPECT_EDGES,
    CLASS_GROUP,
    SIZE,
    SIZE_QUANTILES,
    ScoringSpec,
    SliceSpec,
)

MAX_VALUES = 1_000
NOT_GIVEN = "(none)"
"""The value of samples that lack the field."""


@dataclass(frozen=True)
class Slicing:
    """The slices of one field.

    Attributes:
        by: the field.
        values: their names, without the field's.
        codes: int32 [samples]; which value each sample has. Empty for groups of classes.
        groups: bool [values, classes]; which classes each group has. None for other fields.
    """

    by: str
    min_size: int
    values: tuple[str, ...]
    codes: NDArray[np.int32] = field(repr=False)
    groups: NDArray[np.bool_] | None = field(default=None, repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"{self.by}={value}" for value in self.values)


def needed_columns(spec: ScoringSpec) -> tuple[str, ...]:
    """The columns of samples.parquet that the slices are made from."""
    wanted: dict[str, None] = {}
    for entry in spec.fields:
        own = {SIZE: ("width", "height"), ASPECT: ("width", "height"), CLASS_GROUP: ()}
        wanted.update(dict.fromkeys(own.get(entry.field, (entry.field,))))
    return tuple(wanted)


def slice_samples(samples: pa.Table, spec: ScoringSpec, classes: ClassList) -> tuple[Slicing, ...]:
    """The slices that a plan asks for, in its order, over all samples of a dataset.

    Bins hold their lower border and not their upper one. Quantiles are those of all samples.

    Raises:
        InputError: a field or a class that the dataset lacks, a field whose values are no slices.
    """
    return tuple(
        _groups(spec, entry, classes) if entry.field == CLASS_GROUP else _by_field(samples, entry)
        for entry in spec.fields
    )


def _groups(spec: ScoringSpec, entry: SliceSpec, classes: ClassList) -> Slicing:
    index_of = label_index(classes)
    member = np.zeros((len(spec.class_groups), len(classes)), dtype=bool)
    for row, (name, members) in enumerate(spec.class_groups.items()):
        for label in members:
            if label not in index_of:
                raise InputError(
                    f"class_groups {name}: {label!r} is no class, or names several; use the id"
                )
            member[row, index_of[label]] = True
    none = np.zeros(0, dtype=np.int32)
    return Slicing(entry.field, entry.min_size, tuple(spec.class_groups), none, member)


def _by_field(samples: pa.Table, entry: SliceSpec) -> Slicing:
    column, edges, quantiles = _column(samples, entry), entry.edges, entry.quantiles
    if entry.field == SIZE and edges is None:
        quantiles = quantiles or SIZE_QUANTILES
    if entry.field == ASPECT and quantiles is None:
        edges = edges or ASPECT_EDGES
    if edges is None and quantiles is None:
        texts = _categories(column, entry.field)
    else:
        texts = _bins(column, entry.field, edges, quantiles)
    encoded = texts.dictionary_encode()
    codes = encoded.indices.to_numpy().astype(np.int32)
    values = encoded.dictionary.to_pylist()
    if len(values) > MAX_VALUES:
        raise InputError(
            f"slices: {entry.field} has {len(values):,} values; at most {MAX_VALUES:,} can be "
            f"slices. Put numbers into bins with `edges` or `quantiles`, or name another field"
        )
    # Bins in rising order, values by name, samples that lack the field last.
    order = sorted(range(len(values)), key=lambda at: (values[at] == NOT_GIVEN, _rank(values[at])))
    place = np.empty(len(values), dtype=np.int32)
    place[order] = np.arange(len(values))
    return Slicing(entry.field, entry.min_size, tuple(values[at] for at in order), place[codes])


def _column(samples: pa.Table, entry: SliceSpec) -> pa.Array:
    if entry.field in (SIZE, ASPECT):
        if entry.field in samples.column_names:
            raise InputError(f"slices: the samples have a field {entry.field!r} of their own")
        width, height = (samples[name].cast(pa.float64()) for name in ("width", "height"))
        found = pc.multiply(width, height) if entry.field == SIZE else pc.divide(width, height)
        return found.combine_chunks()
    if entry.field not in samples.column_names:
        raise InputError(
            f"slices: the samples have no field {entry.field!r}; they have "
            f"{', '.join(samples.column_names)}, size, aspect"
        )
    return samples[entry.field].combine_chunks()


def _categories(column: pa.Array, name: str) -> pa.Array:
    kind = column.type
    if pa.types.is_floating(kind):
        raise InputError(f"slices: {name} holds numbers; give `edges` or `quantiles`")
    if pa.types.is_null(kind):
        column = column.cast(pa.string())
    elif not (pa.types.is_string(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind)):
        raise InputError(f"slices: {name} holds {kind}, which are no values of slices")
    return column.cast(pa.string()).fill_null(NOT_GIVEN)


def _bins(
    column: pa.Array, name: str, edges: Sequence[float] | None, quantiles: int | None
) -> pa.Array:
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise InputError(f"slices: {name} holds {kind}, not numbers; it has no bins")
    numbers = column.cast(pa.float64())
    values = numbers.fill_null(np.nan).to_numpy()
    given = ~np.isnan(values)
    if edges is None:
        inner = np.arange(1, quantiles or 1) / (quantiles or 1)
        edges = np.unique(np.quantile(values[given], inner)).tolist() if given.any() else []
    borders = [_number(edge) for edge in edges]
    texts = [f"{low}..{high}" for low, high in zip(["", *borders], [*borders, ""], strict=True)]
    codes = np.searchsorted(np.array(edges), values, side="right")
    return pa.array(np.array([*texts, NOT_GIVEN])[np.where(given, codes, len(texts))])


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.6g}"


def _rank(value: str) -> tuple[float, str]:
    """Bins by their lower border, numbers by size, all else by name."""
    low, dots, _ = value.partition("..")
    try:
        return float(low if low or not dots else "-inf"), value
    except ValueError:
        return float("inf"), value
