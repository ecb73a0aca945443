"""An overlay: key → the labels that count as right, in place of the dataset's own target."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from tasks.layout import SplitName

OverlayKind = Literal["corrected", "acceptable"]

SCHEMA = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("labels", pa.list_(pa.int32()), nullable=False),
    ]
)
KIND = b"nightmark.targets.kind"


class OverlaySpec(BaseModel):
    """The file of an overlay, as a plan names it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: Path = Field(
        description="CSV (key,label), or JSON: key → label or list of labels; or ReaL's real.json."
    )
    kind: OverlayKind | None = Field(
        default=None,
        description="`corrected`: one label per key; `acceptable`: any of several is right. "
        "Default: acceptable where the file has lists, else corrected.",
    )
    subset: bool = Field(
        default=False,
        description="The dataset holds only some of the file's keys; the others are counted.",
    )


class OverlayCounts(BaseModel):
    """What an overlay did to the rows of an evaluation; counts of samples."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    named: int = Field(default=0, ge=0, description="They are in the overlay.")
    changed: int = Field(default=0, ge=0, description="Their own label is not right any more.")
    left_out: int = Field(default=0, ge=0, description="They have no label any more.")
    unscored: int = Field(
        default=0, ge=0, description="The probability of their new target was not kept."
    )
    rounded: int = Field(
        default=0, ge=0, description="The probability of their new target was kept as float16."
    )

    def __add__(self, other: Self) -> Self:
        """The counts over the rows of both."""
        ours, theirs = self.model_dump(), other.model_dump()
        return type(self)(**{name: ours[name] + theirs[name] for name in ours})


class Overlaid(OverlayCounts):
    """What a scoring says of the overlay that it was computed under."""

    file: str = Field(description="The name of the file, without its folder.")
    file_sha256: str
    digest: str = Field(description="Of kind and labels; names the stored copy.")
    kind: OverlayKind
    foreign: int = Field(ge=0, description="Keys of the file that the dataset lacks.")

    @classmethod
    def of(cls, overlay: "TargetOverlay", counts: OverlayCounts) -> Self:
        """The overlay and what it did; keys that no row had are foreign."""
        return cls(
            **counts.model_dump(),
            file=overlay.file,
            file_sha256=overlay.file_sha256,
            digest=overlay.digest,
            kind=overlay.kind,
            foreign=len(overlay) - counts.named,
        )


@dataclass(frozen=True, eq=False)
class TargetOverlay:
    """Labels per key, as class indices.

    Attributes:
        rows: ``SCHEMA``, sorted by key; labels ascend, and none at all leaves the sample out.
        file: the name of the file that they came from, without its folder.
        subset: whether a dataset may lack some of the keys.
    """

    kind: OverlayKind
    rows: pa.Table = field(repr=False)
    file: str
    file_sha256: str
    subset: bool = False

    @classmethod
    def of(
        cls,
        labels: Mapping[str, Sequence[int]],
        kind: OverlayKind,
        *,
        file: str = "",
        file_sha256: str = "",
        subset: bool = False,
    ) -> Self:
        """The overlay of these labels, in any order."""
        keys = sorted(labels)
        columns = {"key": keys, "labels": [sorted(set(labels[key])) for key in keys]}
        rows = pa.table(columns, schema=SCHEMA)
        return cls(kind, rows, file, file_sha256, subset)

    def __len__(self) -> int:
        return int(self.rows.num_rows)

    @cached_property
    def digest(self) -> str:
        """Hex SHA-256 of the kind and the labels; the file's form and order do not matter."""
        keys, labels = self.rows["key"].to_pylist(), self.rows["labels"].to_pylist()
        lines = "".join(f"{key} {indices}\n" for key, indices in zip(keys, labels, strict=True))
        return hashlib.sha256(f"{self.kind}\n{lines}".encode()).hexdigest()

    def path(self, split: SplitName) -> str:
        """Where a copy is kept, so that later runs need not find the file unchanged."""
        return split.targets(self.digest)
