"""What every source offers, and how one is described."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from shards.sample import ClassList, Sample, Skipped

SourceKind = Literal[
    "cifar10",
    "cifar100",
    "imagenet",
    "mnist",
    "fashion-mnist",
    "folder",
    "parquet",
    "webdataset",
]


class Source(Protocol):
    """A dataset split in its publisher's layout.

    Entries have a fixed order and any range of them can be read, so that shards can be built in
    parallel and in any order.
    """

    @property
    def layout(self) -> str:
        """The layout that was recognised, e.g. ``cifar10 python``; no path in it."""
        ...

    @property
    def classes(self) -> ClassList: ...

    @property
    def identity(self) -> str:
        """Hex digest that changes whenever the entries may have changed; known without decoding."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What is odd about the source as a whole, e.g. a checksum that is not the official one."""
        ...

    def __len__(self) -> int:
        """The number of entries, readable or not."""
        ...

    def range_identity(self, start: int, stop: int) -> str:
        """Like ``identity``, of entries ``start`` to ``stop`` alone.

        A shard of an earlier build with an equal one can be taken over.
        """
        ...

    def labels(self) -> list[int | None]:
        """The class index of every entry, as far as known without decoding; for orders."""
        ...

    def read(self, start: int, stop: int) -> Iterator[Sample | Skipped]:
        """Entries ``start`` to ``stop``, one result for each, in order."""
        ...


class SourceSpec(BaseModel):
    """Which source to open, and what it needs to be understood."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: SourceKind = Field(description="What lies there; the layout of it is recognised.")
    location: Path = Field(description="File or folder; `package:NAME/PATH` for package files.")
    devkit: Path | None = Field(
        default=None,
        description="imagenet: the development kit (tar.gz or folder), if not beside the images.",
    )
    include: str = Field(
        default="**/*", description="folder: the glob of files that belong to the dataset."
    )
    label_pattern: str | None = Field(
        default=None,
        description="folder: a regular expression on the file name whose first group is the label; "
        "without it the label is the name of the top-level sub-folder.",
    )
    image_column: str | None = Field(
        default=None, description="parquet: the column of images; default: image or img."
    )
    label_column: str | None = Field(
        default=None, description="parquet: the column of labels; default: label or fine_label."
    )
    classes: (
        Literal["cifar10", "cifar100", "imagenet", "mnist", "fashion-mnist"]
        | tuple[str, ...]
        | None
    ) = Field(
        default=None,
        description="folder, parquet, webdataset: class ids in order, or the name of a built-in "
        "list; without it the sorted names of the sub-folders that hold images.",
    )


def digest(*facts: object) -> str:
    """Hex SHA-256 of facts that JSON can hold."""
    canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def printable(name: str) -> str:
    """A file name as it can be written down: bytes that are no UTF-8 become U+FFFD."""
    return name.encode(errors="surrogateescape").decode(errors="replace")
