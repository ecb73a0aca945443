"""What lies under the artifact root, piece by piece: a piece is kept, or goes, as a whole."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from shards.manifest import MANIFEST_NAME
from shards.parts import STALE_SECONDS
from shards.store import Store, StoredFile
from tasks.comparisons import RECORD as COMPARISON
from tasks.health.kept import RECORD as COPIES
from tasks.layout import (
    DECISIONS,
    HISTORY_PAGE,
    NIGHT,
    NIGHTS,
    PRUNES,
    SCORING,
    WATCHED,
    PieceKind,
    Place,
    place_of,
)
from tasks.report.assets import ASSETS
from tasks.weights.kept import RECORD as FETCHED

RECORDS: dict[PieceKind, str] = {
    "night": NIGHT,
    "scoring": SCORING,
    "comparison": COMPARISON,
    "shards": MANIFEST_NAME,
    "copies": COPIES,
    "weights": FETCHED,
}
"""The file in a folder that says that it is whole; it is written last, and removed first."""
PARTIAL = ".partial"
LASTING = (
    *(f"{DECISIONS}/", f"{PRUNES}/", f"{WATCHED}/"),
    *(HISTORY_PAGE, f"{NIGHTS}/{ASSETS}/"),
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A file, or a folder with all of its files."""

    place: Place
    files: tuple[StoredFile, ...]

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(file.size for file in self.files)

    @property
    def modified(self) -> datetime:
        """When the newest of its files was written."""
        return max(file.modified for file in self.files)

    @property
    def record(self) -> str | None:
        """The path of its record; None where a folder has none, and so is not whole."""
        name = RECORDS.get(self.place.kind)
        path = self.place.path if name is None else f"{self.place.path}/{name}"
        return path if any(file.path == path for file in self.files) else None


@dataclass(frozen=True, slots=True)
class Stock:
    """All that is stored.

    Attributes:
        partial: files that are being written, or whose writer was killed.
        lasting: decisions, records of prunes, what is known of watched weights, the history page.
        foreign: files that nightmark did not write; they are never touched.
    """

    pieces: tuple[Piece, ...]
    partial: tuple[StoredFile, ...]
    lasting: int
    foreign: int

    def of_kind(self, kind: PieceKind) -> list[Piece]:
        return [piece for piece in self.pieces if piece.place.kind == kind]

    def abandoned(self, now: datetime) -> list[StoredFile]:
        """Those partial files that nobody wrote to for an hour."""
        limit = timedelta(seconds=STALE_SECONDS)
        return [file for file in self.partial if now - file.modified > limit]


def take_stock(store: Store) -> Stock:
    """List the whole store."""
    folders: dict[Place, list[StoredFile]] = {}
    partial: list[StoredFile] = []
    lasting = foreign = 0
    for file in store.files():
        if _is_partial(file.path):
            partial.append(file)
        elif (place := place_of(file.path)) is not None:
            folders.setdefault(place, []).append(file)
        elif file.path.startswith(LASTING):
            lasting += 1
        else:
            foreign += 1
    pieces = tuple(Piece(place, tuple(files)) for place, files in folders.items())
    return Stock(pieces, tuple(partial), lasting, foreign)


def _is_partial(path: str) -> bool:
    """Whether it is hidden until it is whole, alone or with its folder."""
    return any(part.startswith(".") and part.endswith(PARTIAL) for part in path.split("/"))


def freed(files: Iterable[StoredFile]) -> int:
    """Bytes that removing these files gives back: a content goes with its last name."""
    names: dict[str, list[StoredFile]] = {}
    for file in files:
        names.setdefault(file.content, []).append(file)
    return sum(same[0].size for same in names.values() if len(same) >= same[0].links)
