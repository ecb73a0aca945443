"""Columns of predictions as NumPy arrays, without a Python object per row."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def marked(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Where the column has a value; bool [rows]."""
    if not column.null_count:
        return np.ones(len(column), dtype=bool)
    if column.null_count == len(column):
        return np.zeros(len(column), dtype=bool)
    valid: NDArray[np.bool_] = column.is_valid().to_numpy()
    return valid


def numbers(column: pa.ChunkedArray, kept: NDArray[np.bool_], missing: float) -> NDArray[Any]:
    """The values in the rows that are kept; ``missing`` where there is none."""
    whole = column.fill_null(pa.scalar(missing, column.type)) if column.null_count else column
    values: NDArray[Any] = whole.to_numpy()
    return values if kept.all() else values[kept]


def first_of(column: pa.ChunkedArray, kept: NDArray[np.bool_]) -> NDArray[Any]:
    """The first value of each list in the rows that are kept.

    Raises:
        ValueError: such a list is null or empty.
    """
    parts: list[NDArray[Any]] = [np.zeros(0, dtype=column.type.value_type.to_pandas_dtype())]
    start = 0
    for lists in column.chunks:
        parts.append(_first_of_chunk(lists, kept[start : start + len(lists)]))
        start += len(lists)
    return np.concatenate(parts)


def _first_of_chunk(lists: pa.ListArray, kept: NDArray[np.bool_]) -> NDArray[Any]:
    starts, ends = lists.offsets.to_numpy()[:-1], lists.offsets.to_numpy()[1:]
    lengths = ends - starts
    # A null list has no length either, so its place would hold the value of the next one.
    if not (kept <= (lengths > 0)).all():
        raise ValueError("a row without an error has no predictions")
    values: NDArray[Any] = lists.values.to_numpy()
    if len(kept) and kept.all() and (lengths == lengths[0]).all():
        # Much the most frequent case, and a stride is cheaper than a gather.
        return values[starts[0] : ends[-1] : lengths[0]]
    first: NDArray[Any] = values[starts[kept]]
    return first


def matrix_of(column: pa.ChunkedArray) -> NDArray[np.floating]:
    """Lists of equal length as [rows, length]; 0 where a list is null."""
    lists = column.combine_chunks()
    valid = lists.is_valid().to_numpy(zero_copy_only=False)
    flat = lists.flatten().to_numpy(zero_copy_only=False)
    kept: NDArray[np.floating] = (
        flat.reshape(int(valid.sum()), -1) if valid.any() else flat.reshape(0, 0)
    )
    if valid.all():
        return kept
    whole: NDArray[np.floating] = np.zeros((len(valid), kept.shape[1]), dtype=kept.dtype)
    whole[valid] = kept
    return whole
