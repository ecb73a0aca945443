"""``samples.parquet``: one row per sample of a dataset, and the digests over all of them."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shards.image import ImageHeader

SCHEMA = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("source_name", pa.string(), nullable=False),
        pa.field("shard", pa.int32(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("length", pa.int64(), nullable=False),
        pa.field("sha256", pa.binary(32), nullable=False),
        pa.field("crc32", pa.uint32(), nullable=False),
        pa.field("suffix", pa.string(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("target", pa.int32()),
    ]
)
"""The columns that every dataset has; the sample's own fields follow them, one column each."""


class Placed(NamedTuple):
    """A sample without its image, and where that came to lie in its shard.

    Attributes:
        offset: bytes from the start of the tar.
        length: bytes of the image.
        sha256: of the image, as is ``crc32``.
    """

    key: str
    source_name: str
    offset: int
    length: int
    sha256: bytes
    crc32: int
    header: ImageHeader
    label: int | None
    fields: Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Digests:
    """Hex SHA-256 over what is pictured, what is true of it, how it is laid out, and all rows.

    ``images`` and ``targets`` do not depend on the order or the sharding of the samples. ``rows``
    is of every column, whatever wrote it as Parquet.
    """

    images: str
    targets: str
    layout: str
    rows: str


def samples_table(shard: int, placed: Iterable[Placed]) -> pa.Table:
    """Rows of one shard, in its order.

    Raises:
        ValueError: a field of the samples has the name of a column.
    """
    rows = list(placed)
    columns: dict[str, list[object]] = {
        "key": [row.key for row in rows],
        "source_name": [row.source_name for row in rows],
        "shard": [shard] * len(rows),
        "offset": [row.offset for row in rows],
        "length": [row.length for row in rows],
        "sha256": [row.sha256 for row in rows],
        "crc32": [row.crc32 for row in rows],
        "suffix": [row.header.suffix for row in rows],
        "width": [row.header.width for row in rows],
        "height": [row.header.height for row in rows],
        "target": [row.label for row in rows],
    }
    table = pa.table(columns, schema=SCHEMA)
    for name in sorted({name for row in rows for name in row.fields}):
        if name in columns:
            raise ValueError(f"the field {name!r} of a sample has the name of a column")
        values = pa.array([row.fields.get(name) for row in rows])
        table = table.append_column(name, values)
    return table


def digests(samples: pa.Table, shards: Mapping[str, str]) -> Digests:
    """The digests of a dataset.

    Args:
        samples: the table of all samples.
        shards: shard name → hex SHA-256, in order.
    """
    ordered = samples.take(pc.sort_indices(samples, [("key", "ascending")]))
    keys = "\n".join(ordered["key"].to_pylist()).encode()
    image_hashes = b"".join(ordered["sha256"].to_pylist())
    targets = np.asarray(pc.fill_null(ordered["target"], -1), dtype="<i4").tobytes()
    tars = "\n".join(f"{name} {sha256}" for name, sha256 in shards.items()).encode()
    places = "\n".join(samples["key"].to_pylist()).encode() + b"".join(
        np.asarray(samples[name], dtype="<i8").tobytes()
        for name in ("shard", "offset", "length", "crc32")
    )
    return Digests(
        images=hashlib.sha256(keys + b"\0" + image_hashes).hexdigest(),
        targets=hashlib.sha256(keys + b"\0" + targets).hexdigest(),
        layout=hashlib.sha256(tars + b"\0" + places).hexdigest(),
        rows=_rows_digest(samples),
    )


def _rows_digest(samples: pa.Table) -> str:
    whole = hashlib.sha256()
    for name in samples.column_names:
        column = samples[name]
        whole.update(f"{name}\0{column.null_count}\0".encode())
        if pa.types.is_integer(column.type):
            whole.update(np.asarray(column.is_null()).tobytes())
            whole.update(np.asarray(pc.fill_null(column, 0)).astype("<i8").tobytes())
            continue
        values = column.cast(pa.large_binary())  # text as UTF-8; of a column of nulls, nulls
        lengths = pc.fill_null(pc.binary_length(values), -1)
        whole.update(np.asarray(lengths).astype("<i8").tobytes())
        whole.update(b"".join(values.drop_null().to_pylist()))
    return whole.hexdigest()
