"""The order in which entries come into shards: the source's own, or classes spread evenly.

Spreading is proportionate fairness (Baruah, Cohen, Plaxton, Varvel, "Proportionate Progress",
Algorithmica 15, 1996): of N entries the j-th (from 0) of a class with n entries has to stand at a
place from ``floor(j N / n)`` to ``ceil((j + 1) N / n) - 1``. Giving every place to the entry whose
last place comes first meets all of these, so that in every prefix each class has its share to
within less than one entry. All of it is integer arithmetic.
"""

import hashlib
import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shards.errors import SourceError
from shards.sample import ClassList, Sample, Skipped
from shards.sources.source import Source, digest

OrderName = Literal["source", "stratified"]
ORDER_REVISION = 1
"""Part of the identity of an ordered source: raise it when the same seed gives another order."""


def in_order(source: Source, order: OrderName, seed: int) -> Source:
    """``source`` with its entries in this order; nothing is sorted before it is read."""
    return source if order == "source" else OrderedSource(source, seed)


def stratified(labels: Sequence[int | None], seed: int) -> list[int]:
    """Positions of all entries, classes spread evenly; entries without a label are one class.

    Within a class, and where classes are level, the SHA-256 of seed, class and position decides.
    """
    members: dict[int | None, list[tuple[int, int]]] = {}
    for position, label in enumerate(labels):
        draw = hashlib.sha256(f"{seed} {label} {position}".encode()).digest()
        members.setdefault(label, []).append((int.from_bytes(draw[:8], "big"), position))
    queues = [sorted(drawn) for drawn in members.values()]
    return _earliest_deadline_first(queues, len(labels))


def _earliest_deadline_first(queues: list[list[tuple[int, int]]], total: int) -> list[int]:
    # Not yet allowed: (first place, class). Allowed: (last place, draw, position, class).
    waiting = [(0, number) for number in range(len(queues))]
    allowed: list[tuple[int, int, int, int]] = []
    taken = [0] * len(queues)
    order: list[int] = []
    for place in range(total):
        while waiting and waiting[0][0] <= place:
            _, number = heapq.heappop(waiting)
            rank, size = taken[number], len(queues[number])
            last = -(-(rank + 1) * total // size) - 1
            heapq.heappush(allowed, (last, *queues[number][rank], number))
        _, _, position, number = heapq.heappop(allowed)
        order.append(position)
        taken[number] += 1
        if taken[number] < len(queues[number]):
            first = taken[number] * total // len(queues[number])
            heapq.heappush(waiting, (first, number))
    return order


@dataclass(frozen=True)
class OrderedSource:
    """A source whose entries come in stratified order."""

    source: Source
    seed: int

    @property
    def layout(self) -> str:
        return self.source.layout

    @property
    def classes(self) -> ClassList:
        return self.source.classes

    @property
    def notes(self) -> tuple[str, ...]:
        return self.source.notes

    @property
    def identity(self) -> str:
        return digest("stratified", self.seed, ORDER_REVISION, self.source.identity)

    def __len__(self) -> int:
        return len(self.source)

    def range_identity(self, start: int, stop: int) -> str:
        """Moves with the whole source: one entry more, and every range holds other entries."""
        return digest(self.identity, start, stop)

    def labels(self) -> list[int | None]:
        labels = self.source.labels()
        return [labels[position] for position in self._permutation.tolist()]

    def read(self, start: int, stop: int) -> Iterator[Sample | Skipped]:
        """See ``read_positions``. Raises SourceError: not a label for every entry."""
        yield from read_positions(self.source, self._permutation[start:stop].tolist())

    @cached_property
    def _permutation(self) -> NDArray[np.int64]:
        labels = self.source.labels()
        if len(labels) != len(self.source):
            raise SourceError(
                f"{self.layout}: {len(labels)} labels for {len(self.source)} entries; build with "
                f"`order: source` and report this"
            )
        return np.asarray(stratified(labels, self.seed), dtype=np.int64)


def read_positions(source: Source, positions: Sequence[int]) -> Iterator[Sample | Skipped]:
    """One result for each position, in their order; held in memory together.

    The source is read forwards and only where needed: neighbours in one range, no entry twice.

    Raises:
        SourceError: the source gave another number of results than it was asked for.
    """
    found: dict[int, Sample | Skipped] = {}
    for start, stop in runs(sorted(set(positions))):
        results = list(islice(source.read(start, stop), stop - start + 1))
        if len(results) != stop - start:
            raise SourceError(wrong_count(source, start, stop, len(results)))
        found.update(zip(range(start, stop), results, strict=True))
    for position in positions:
        yield found[position]


def runs(positions: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The ranges, start to stop, of neighbours among rising positions."""
    if not positions:
        return
    start = previous = positions[0]
    for position in positions[1:]:
        if position != previous + 1:
            yield start, previous + 1
            start = position
        previous = position
    yield start, previous + 1


def wrong_count(source: Source, start: int, stop: int, count: int) -> str:
    """What to say of a source that gave ``count`` results, or more, for this range."""
    several = f"more than {stop - start}" if count > stop - start else str(count)
    return (
        f"{source.layout}: entries {start} to {stop} gave {several} results instead of "
        f"{stop - start}; nothing of this shard was written: if the source changed under the "
        f"build run it again, else report this"
    )
