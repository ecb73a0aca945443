"""What a place of weights must answer: what lies there now, and its bytes."""

from pathlib import Path, PurePosixPath
from typing import Protocol

from pydantic import BaseModel, ConfigDict

FOLDER_SUFFIXES = (".safetensors", ".json")
"""What is fetched of a folder: nothing that could be a pickle, or code."""


class ReplacedError(Exception):
    """A file is another than the one that was asked about."""


class RemoteFile(BaseModel):
    """A file as its place describes it.

    Attributes:
        name: without its folder.
        content: differs where the bytes differ: a digest, an ETag, a version.
        size: bytes, where the place tells.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    content: str
    size: int | None = None


class Stamp(BaseModel):
    """What lies at an address now, without its bytes.

    Attributes:
        what: what the place calls a revision: ``commit``, ``version``, ``ETag``.
        revision: which one it is.
        files: never empty.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    what: str
    revision: str
    files: tuple[RemoteFile, ...]

    def __str__(self) -> str:
        return f"{self.what} {self.revision}"


class Remote(Protocol):
    """A place of weights. Both verbs raise whatever its client raises."""

    @property
    def needs(self) -> tuple[str, str] | None:
        """The package that asks there, and nightmark's extra that brings it."""

    @property
    def setting(self) -> str:
        """Where its client is told how to get there, for a person."""

    @property
    def path(self) -> PurePosixPath | None:
        """Of the file there; None for a folder."""

    def stamp(self) -> Stamp:
        """What lies there: one cheap request, whatever the size."""

    def fetch(self, stamp: Stamp, file: RemoteFile, folder: Path) -> Path:
        """A file of the stamp, fetched into a local folder; an error if it is another by now."""


def file_path(path: str) -> PurePosixPath | None:
    """The path of a file; None where it is that of a folder: empty, or with a slash at its end.

    Raises:
        ValueError: its name could lead out of a folder, or would be hidden there.
    """
    if not path or path.endswith("/"):
        return None
    found = PurePosixPath(path)
    if found.name.startswith(".") or not found.name.isprintable() or ".." in found.parts:
        raise ValueError(f"{path!r} is no path of a file")
    return found


def of_a_folder(name: str) -> bool:
    """Whether a file of this name is fetched where the address is that of its folder."""
    return name.endswith(FOLDER_SUFFIXES) and not name.startswith(".") and "/" not in name
