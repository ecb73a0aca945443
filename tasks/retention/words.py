"""What a prune does, as a person reads it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from shards.store import StoredFile
from tasks.layout import PieceKind
from tasks.metrics.words import counted
from tasks.retention.choosing import Choice, Reasoned
from tasks.retention.pieces import freed
from tasks.retention.removing import ORDER

UNITS = ("B", "kB", "MB", "GB", "TB")
PLURALS: dict[PieceKind, str] = {
    "night": "nights",
    "evaluation": "evaluations",
    "scoring": "scorings",
    "comparison": "comparisons",
    "lease": "leases",
}
"""The other kinds are their own."""


@dataclass(frozen=True, slots=True)
class Line:
    """How much of a kind goes, and how much stays; pieces and bytes."""

    kind: str
    going: int
    freed: int
    kept: int
    kept_bytes: int


def lines(choice: Choice) -> Iterator[Line]:
    """One per kind of which there is anything."""
    for kind in ORDER:
        going, kept = _of_kind(choice.going, kind), _of_kind(choice.kept, kind)
        if going or kept:
            yield Line(
                PLURALS.get(kind, kind),
                len(going),
                freed(_files(going)),
                len(kept),
                sum(reasoned.piece.size for reasoned in kept),
            )
    if choice.partial:
        yield Line("files of killed writers", len(choice.partial), freed(choice.partial), 0, 0)


def reasons(choice: Choice) -> Iterator[str]:
    """Why nights stay, each, and why everything else does, counted."""
    for reasoned in choice.kept:
        if reasoned.piece.place.kind == "night":
            yield f"night {reasoned.piece.place.name} stays: {reasoned.why}"
    others = Counter(r.why for r in choice.kept if r.piece.place.kind != "night")
    for why, count in others.most_common():
        yield f"{count:,} more: {why}"


def sentences(choice: Choice, *, removed: bool) -> Iterator[str]:
    """What was, or would be, removed."""
    for lease in choice.leases:
        yield f"Left alone, since it is in use: {lease}."
    if choice.foreign:
        yield f"{counted(choice.foreign, 'file')} that nightmark did not write stay."
    if choice.is_empty:
        yield "There is nothing to remove."
        return
    pieces = len(choice.going) + len(choice.partial)
    verb = "Removed" if removed else "Would remove"
    yield f"{verb} {pieces:,} files and folders, which gives {size_text(choice.freed)} back."


def size_text(size: float) -> str:
    """Bytes, in the largest unit that leaves a digit before the point."""
    for unit in UNITS[:-1]:
        if size < 1000:
            return f"{size:,.0f} {unit}" if unit == "B" else f"{size:,.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} {UNITS[-1]}"


def _of_kind(reasoned: Sequence[Reasoned], kind: PieceKind) -> list[Reasoned]:
    return [found for found in reasoned if found.piece.place.kind == kind]


def _files(reasoned: Iterable[Reasoned]) -> Iterator[StoredFile]:
    for found in reasoned:
        yield from found.piece.files
