"""Parquet tables at rest: read whole, or one sentence that names the file; written compressed."""

import io
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from shards.errors import ShardError
from shards.store import Store

AGAIN = "run the evaluation again"
NEWLINE = "\n"
"""What Arrow says on further lines is of its own insides."""


def read_table(
    store: Store, path: str, *, advice: str = AGAIN, columns: Sequence[str] | None = None
) -> pa.Table:
    """The table in a file, or some columns of it; ``advice`` says how the file is made anew.

    Raises:
        ShardError: it is missing, unreadable, or lacks a column.
    """
    where = store.locate(path)
    try:
        return pq.read_table(
            io.BytesIO(store.read(path)),
            columns=columns and list(columns),
            partitioning=None,
            page_checksum_verification=True,
        )
    except FileNotFoundError as error:
        raise ShardError(f"{where} is missing; {advice}") from error
    except (pa.ArrowException, OSError, ValueError) as error:  # names that are no UTF-8
        raise ShardError(
            f"{where} is not readable ({str(error).partition(NEWLINE)[0]}); remove the file and "
            f"{advice}"
        ) from error


def read_table_of(store: Store, path: str, schema: pa.Schema, *, advice: str = AGAIN) -> pa.Table:
    """The table in a file that must have this schema.

    Raises:
        ShardError: it is missing, unreadable, or a table of something else.
    """
    table = read_table(store, path, advice=advice)
    if not table.schema.equals(schema):
        raise ShardError(
            f"{store.locate(path)} holds another table than its name says; remove the file and "
            f"{advice}"
        )
    return table


def table_bytes(table: pa.Table) -> bytes:
    """A Parquet file of the table."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()
