"""Signatures of two splits → which images of the first are in the second, too."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks.health.copies import PAIRS_SCHEMA, Copies, FoundCopies, copies_id
from tasks.health.nearest import DEPTH, Candidates, candidates
from tasks.health.registration import Registered, register
from tasks.health.signatures import Signatures

Rows = NDArray[np.int64]


class Blocks(Protocol):
    """The signatures of a split, some thousands at a time; may be gone through several times."""

    def __iter__(self) -> Iterator[Signatures]: ...


def find_copies(
    images: Signatures, blocks: Blocks, images_digest: str, other_digest: str
) -> FoundCopies:
    """Every image of ``images`` that is in ``blocks`` too, exactly or nearly.

    Of a split compared with itself (equal digests) each pair counts once. An image that has more
    than ``DEPTH`` copies is listed with so many of them.
    """
    within = images_digest == other_digest
    likely = candidates(images, blocks, within=within)
    look = _SecondLook.at(images, blocks, likely, within=within)
    exact = _Pairs.equal(look.exact)
    near = _Pairs.alike(likely, look.registered).without(exact, len(look.keys))
    exact_images = _images_in(exact, within=within)
    record = Copies(
        id=copies_id(images_digest, other_digest),
        images_digest=images_digest,
        other_digest=other_digest,
        n=len(images),
        other_n=len(look.keys),
        unreadable=images.unreadable,
        other_unreadable=look.unreadable,
        exact=len(exact_images),
        near=len(_images_in(near, within=within) - exact_images),
        pairs=len(exact) + len(near),
    )
    tables = [
        exact.table("exact", "equal pixels", images.keys, look.keys),
        near.table("near", "registered structure", images.keys, look.keys),
    ]
    return FoundCopies(record, pa.concat_tables(tables))


@dataclass(frozen=True, eq=False)
class _SecondLook:
    """What a second pass over the blocks tells: equal pixels, and the candidates registered."""

    keys: list[str]
    unreadable: int
    exact: list[tuple[int, int]]
    registered: Registered

    @classmethod
    def at(
        cls, images: Signatures, blocks: Iterable[Signatures], likely: Candidates, *, within: bool
    ) -> "_SecondLook":
        equal = _EqualPixels.to(images, within=within)
        similarity, evidence = np.zeros(len(likely)), np.zeros(len(likely))
        shift = np.zeros((len(likely), 2), np.int64)
        keys: list[str] = []
        unreadable = 0
        for block in blocks:
            start = len(keys)
            rows = np.flatnonzero((likely.other >= start) & (likely.other < start + len(block)))
            first = images.grey[likely.query[rows]]
            first = np.where(likely.mirrored[rows, None, None], first[:, :, ::-1], first)
            seen = register(first, block.grey[likely.other[rows] - start])
            similarity[rows], evidence[rows], shift[rows] = (
                seen.similarity,
                seen.evidence,
                seen.shift,
            )
            equal.look_at(block, start)
            keys += block.keys
            unreadable += block.unreadable
        registered = Registered(similarity, evidence, shift)
        return cls(keys, unreadable, equal.found, registered)


@dataclass(frozen=True, eq=False)
class _EqualPixels:
    """Finds images with equal pixels, at most ``DEPTH`` for each."""

    rows: dict[bytes, list[int]]
    within: bool
    found: list[tuple[int, int]] = field(default_factory=list)
    counts: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    @classmethod
    def to(cls, images: Signatures, *, within: bool) -> "_EqualPixels":
        rows: dict[bytes, list[int]] = defaultdict(list)
        for row, pixels in enumerate(images.pixels):
            rows[pixels].append(row)
        return cls(dict(rows), within)

    def look_at(self, block: Signatures, start: int) -> None:
        for row, pixels in enumerate(block.pixels, start):
            for query in self.rows.get(pixels, ()):
                if self.within and query >= row:
                    break
                if self.counts[query] < DEPTH:
                    self.counts[query] += 1
                    self.found.append((query, row))


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Rows of pairs and what is known of each."""

    query: Rows
    other: Rows
    mirrored: NDArray[np.bool_]
    distance: NDArray[np.float64]
    evidence: NDArray[np.float64]
    shift: Rows

    def __len__(self) -> int:
        return len(self.query)

    @classmethod
    def equal(cls, pairs: Sequence[tuple[int, int]]) -> "_Pairs":
        rows = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)
        n = len(rows)
        nothing = np.zeros((n, 2), np.int64)
        unknown = np.full(n, np.nan)
        return cls(rows[:, 0], rows[:, 1], np.zeros(n, bool), np.zeros(n), unknown, nothing)

    @classmethod
    def alike(cls, likely: Candidates, seen: Registered) -> "_Pairs":
        """The candidates that are one shot, the surest first."""
        same = np.flatnonzero(seen.same)
        same = same[np.lexsort((likely.other[same], likely.query[same], -seen.similarity[same]))]
        return cls(
            likely.query[same],
            likely.other[same],
            likely.mirrored[same],
            1 - seen.similarity[same],
            seen.evidence[same],
            seen.shift[same],
        )

    def without(self, exact: "_Pairs", others: int) -> "_Pairs":
        """Each pair once, in its better orientation, and none that has equal pixels."""
        codes = self.query * others + self.other
        _, first = np.unique(codes, return_index=True)
        kept = np.sort(first)
        kept = kept[~np.isin(codes[kept], exact.query * others + exact.other)]
        return _Pairs(
            self.query[kept],
            self.other[kept],
            self.mirrored[kept],
            self.distance[kept],
            self.evidence[kept],
            self.shift[kept],
        )

    def table(
        self, kind: str, verified: str, keys: Sequence[str], others: Sequence[str]
    ) -> pa.Table:
        columns = {
            "key": [keys[row] for row in self.query],
            "other": [others[row] for row in self.other],
            "kind": [kind] * len(self),
            "distance": pa.array(self.distance, pa.float32()),
            "evidence": pa.array(self.evidence, pa.float32(), from_pandas=True),
            "mirrored": self.mirrored,
            "shift_down": pa.array(self.shift[:, 0], pa.int32()),
            "shift_right": pa.array(self.shift[:, 1], pa.int32()),
            "verified": [verified] * len(self),
        }
        return pa.table(columns, schema=PAIRS_SCHEMA)


def _images_in(pairs: _Pairs, *, within: bool) -> set[int]:
    """The images of the split that are in a pair; within a split, both of them are."""
    found = set(pairs.query.tolist())
    return found | set(pairs.other.tolist()) if within else found
