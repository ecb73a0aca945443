"""Every piece of a store → kept or gone, each with its reason. Nothing is removed here."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from shards.errors import ShardError
from shards.store import Store, StoredFile
from tasks.leases import Lease
from tasks.retention.pieces import RECORDS, Piece, freed, take_stock
from tasks.retention.reasons import Reasons
from tasks.retention.rules import Retention

UNREFERRED = "no kept night and no baseline needs it"


@dataclass(frozen=True, slots=True)
class Reasoned:
    """A piece, and why it stays or goes."""

    piece: Piece
    why: str


@dataclass(frozen=True)
class Choice:
    """What a prune would do.

    Attributes:
        partial: files of killed writers, which go too.
        leases: who works on the store now, but for prunes.
        foreign: how many files nightmark did not write; they stay.
    """

    kept: tuple[Reasoned, ...]
    going: tuple[Reasoned, ...]
    partial: tuple[StoredFile, ...]
    leases: tuple[Lease, ...]
    foreign: int

    @property
    def files(self) -> Iterator[StoredFile]:
        """All that go."""
        for reasoned in self.going:
            yield from reasoned.piece.files
        yield from self.partial

    @property
    def is_empty(self) -> bool:
        return not self.going and not self.partial

    @property
    def freed(self) -> int:
        """Bytes that are given back."""
        return freed(self.files)


def choose(store: Store, rules: Retention, now: datetime) -> Choice:
    """What may go from a store under these rules, and what stays.

    Raises:
        ShardError: a record is unreadable, so that it is not known what is needed.
    """
    stock = take_stock(store)
    reasons = Reasons(store, stock, rules, now)
    kept: list[Reasoned] = []
    going: list[Reasoned] = []
    try:
        for piece in stock.pieces:
            if why := reasons.of(piece):
                kept.append(Reasoned(piece, why))
            else:
                going.append(Reasoned(piece, _gone(piece, rules)))
    except ShardError as error:
        raise ShardError(
            f"nothing is pruned while it is unknown what is needed: {error}"
        ) from error
    partial = tuple(stock.abandoned(now))
    return Choice(tuple(kept), tuple(going), partial, tuple(reasons.live), stock.foreign)


def _gone(piece: Piece, rules: Retention) -> str:
    """Why a piece goes."""
    kind = piece.place.kind
    if kind in RECORDS and piece.record is None:
        return "cut off while it was written, or while it was removed"
    match kind:
        case "night":
            return f"no rule keeps it ({rules})"
        case "shards":
            return f"newer shards of the split took their place, and {UNREFERRED}"
        case "lease":
            return "of a process that was killed"
        case "weights":
            return f"fetched, and not used for {rules.unused_days} days"
        case _:
            return UNREFERRED
