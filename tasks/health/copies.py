"""The record of copies between two splits, or within one, and the table of the pairs."""

import hashlib
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa
from pydantic import Field

from tasks.health.signatures import SIGNATURE_REVISION
from tasks.records import Record

COPIES_REVISION = 1
"""Raise it when other pairs would be found in the same images."""
ID_DIGITS = 16
PAIRS_SCHEMA = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("other", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("distance", pa.float32(), nullable=False),
        pa.field("evidence", pa.float32()),
        pa.field("mirrored", pa.bool_(), nullable=False),
        pa.field("shift_down", pa.int32(), nullable=False),
        pa.field("shift_right", pa.int32(), nullable=False),
        pa.field("verified", pa.string(), nullable=False),
    ]
)
"""One row per pair, the surest first. ``kind``: exact or near. ``distance``: 1 less the correlation
of structure, 0 for equal pixels. ``shift_*``: of the image against the other, in 32nds of it.
"""


class Copies(Record):
    """``copies.json``, beside ``pairs.parquet``. Equal images give equal records."""

    schema_name: Literal["nightmark.copies"] = "nightmark.copies"
    schema_version: Literal[1] = 1
    id: str
    images_digest: str
    other_digest: str = Field(description="The same digest where a split is compared with itself.")
    revision: int = COPIES_REVISION
    n: int = Field(description="Images of the split that were compared.")
    other_n: int
    unreadable: int = Field(description="Images of the split that do not decode.")
    other_unreadable: int
    exact: int = Field(description="Images of the split with equal pixels in the other.")
    near: int = Field(description="Further images of it that are the same shot, changed.")
    pairs: int

    @property
    def copied(self) -> int:
        """Images of the split that have a copy."""
        return self.exact + self.near


@dataclass(frozen=True, eq=False)
class FoundCopies:
    """A record and its pairs, a table of ``PAIRS_SCHEMA``."""

    record: Copies
    pairs: pa.Table


def copies_id(images_digest: str, other_digest: str) -> str:
    """Names the record of two splits: by their images and the revisions, nothing else."""
    identity = f"{images_digest} {other_digest} {SIGNATURE_REVISION} {COPIES_REVISION}"
    return "c" + hashlib.sha256(identity.encode()).hexdigest()[:ID_DIGITS]
