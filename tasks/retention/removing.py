"""Removal that may be killed at any moment, and the record of what was removed.

First all records go, those that refer to others before those: from then on nothing says of itself
that it is whole. Then what they referred to. A prune that is run again does the rest.
"""

import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal

import pyarrow as pa
from pydantic import AwareDatetime, Field

from shards.store import Store
from tasks.layout import PieceKind, night_name, prune_folder
from tasks.records import Record
from tasks.retention.choosing import Choice, Reasoned
from tasks.retention.rules import Retention
from tasks.tables import table_bytes

ORDER: tuple[PieceKind, ...] = (
    *("night", "comparison", "evaluation", "scoring", "predictions", "scores", "targets"),
    *("shards", "copies", "signatures", "weights", "lease"),
)
"""Each refers to later ones only, and readers look for earlier ones first."""
REMOVED, RECORD = "removed.parquet", "prune.json"
SCHEMA = pa.schema(
    [
        pa.field("kind", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("why", pa.string(), nullable=False),
    ]
)
ID_DIGITS = 6


class Prune(Record):
    """``prune.json``, beside ``removed.parquet``: written when all that is listed there is gone."""

    schema_name: Literal["nightmark.prune"] = "nightmark.prune"
    schema_version: Literal[1] = 1
    name: str
    started: AwareDatetime
    finished: AwareDatetime
    who: str
    rules: Retention
    pieces: int = Field(description="Files, and folders with all their files.")
    partial: int = Field(description="Files of killed writers.")
    freed: int = Field(description="Bytes.")


def remove(store: Store, choice: Choice, rules: Retention, who: str) -> Prune:
    """Remove what was chosen; the list of it is published first, and the record last.

    Raises:
        StoreError: the store cannot be written.
        OSError: something cannot be removed.
    """
    started = datetime.now(UTC)
    name = night_name(started, uuid.uuid4().hex[:ID_DIGITS])
    store.publish(f"{prune_folder(name)}/{REMOVED}", table_bytes(removed_table(choice)))
    going = sorted(choice.going, key=lambda reasoned: ORDER.index(reasoned.piece.place.kind))
    for reasoned in going:
        if (record := reasoned.piece.record) is not None:
            _remove(store, record)
    store.settle()
    for path in _rest(going):
        _remove(store, path)
    for file in choice.partial:
        _remove(store, file.path)
    store.remove_empty_folders(file.path for file in choice.files)
    done = Prune(
        name=name,
        started=started,
        finished=datetime.now(UTC),
        who=who,
        rules=rules,
        pieces=len(choice.going),
        partial=len(choice.partial),
        freed=choice.freed,
    )
    store.publish(f"{prune_folder(name)}/{RECORD}", done.to_json())
    return done


def removed_table(choice: Choice) -> pa.Table:
    """A row of ``SCHEMA`` per piece that goes."""
    rows = [
        {
            "kind": reasoned.piece.place.kind,
            "path": reasoned.piece.place.path,
            "bytes": reasoned.piece.size,
            "why": reasoned.why,
        }
        for reasoned in choice.going
    ]
    rows += [
        {"kind": "partial", "path": file.path, "bytes": file.size, "why": "of a killed writer"}
        for file in choice.partial
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _rest(going: list[Reasoned]) -> Iterator[str]:
    for reasoned in going:
        yield from (f.path for f in reasoned.piece.files if f.path != reasoned.piece.record)


def _remove(store: Store, path: str) -> None:
    with suppress(FileNotFoundError):  # by another prune
        store.remove(path)
