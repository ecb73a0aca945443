"""What every source offers, and how one is described."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from shards.sample import ClassList, Sample, Skipped

SourceKind = Literal["cifar10", "imagenet", "folder"]


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

    def __len__(self) -> int:
        """The number of entries, readable or not."""
        ...

    def read(self, start: int, stop: int) -> Iterator[Sample | Skipped]:
        """Entries ``start`` to ``stop``, one result for each, in order."""
        ...


class SourceSpec(BaseModel):
    """Which source to open, and what it needs to be understood."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: SourceKind = Field(description="The layout: cifar10, imagenet or folder.")
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
    classes: Literal["cifar10", "imagenet"] | tuple[str, ...] | None = Field(
        default=None,
        description="folder: class ids in order, or the name of a built-in list; "
        "without it the sorted names of the sub-folders that hold images.",
    )


def digest(*facts: object) -> str:
    """Hex SHA-256 of facts that JSON can hold."""
    canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def printable(name: str) -> str:
    """A file name as it can be written down: bytes that are no UTF-8 become U+FFFD."""
    return name.encode(errors="surrogateescape").decode(errors="replace")
