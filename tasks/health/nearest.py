"""Candidates for copies: for every image the few most like it, by blocks of matrix products.

No approximate index is needed: with 96 numbers per image 50,000 against 1.28 million, mirrored
ones too, are 2.5e13 operations, minutes of BLAS on two cores. benchmarks/leakage.py measures it.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.health.signatures import SIDE, Signatures

FLOOR = 0.65
"""Least cosine of a candidate. Copies that are only recoloured or compressed lie above 0.9; a shift
by two pixels of 32 takes half of them below 0.8 and a tenth below 0.6."""
DEPTH = 12
"""Candidates per image and orientation. In plain skies thousands pass the floor."""
GRID = 8
COLOUR_WEIGHT = 0.5
"""Colour counts little, so that a grey copy of a coloured image is a candidate."""
QUERIES_AT_A_TIME = 512
DIMENSIONS = GRID * GRID + 2 * 4 * 4
FLAT = 1e-3
"""Below this length a vector is that of an evenly coloured image, which is like nothing."""

Vectors = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Candidates:
    """Pairs of rows, with ``similarity`` float32 in [FLOOR, 1]; ``mirrored``: the query is."""

    query: NDArray[np.int64]
    other: NDArray[np.int64]
    mirrored: NDArray[np.bool_]
    similarity: Vectors

    def __len__(self) -> int:
        return len(self.query)

    @classmethod
    def none(cls) -> "Candidates":
        rows = np.zeros(0, np.int64)
        return cls(rows, rows, np.zeros(0, np.bool_), np.zeros(0, np.float32))

    def take(self, rows: NDArray[np.generic]) -> "Candidates":
        """Those of ``rows``, a mask or indices."""
        return Candidates(
            self.query[rows], self.other[rows], self.mirrored[rows], self.similarity[rows]
        )

    def best(self, depth: int) -> "Candidates":
        """The ``depth`` most similar of each query and orientation; ties to the lower row."""
        side = 2 * self.query + self.mirrored
        order = np.lexsort((self.other, -self.similarity, side))
        side = side[order]
        rank = np.arange(len(side)) - np.searchsorted(side, side)
        return self.take(order[rank < depth])


def vectors(images: Signatures, *, mirrored: bool = False) -> Vectors:
    """Unit vectors float32 [n, 96]: light and colour less their means, so that neither brightness
    nor contrast matters.
    """
    grey = images.grey[:, :, ::-1] if mirrored else images.grey
    colour = images.colour[..., ::-1] if mirrored else images.colour
    cell = SIDE // GRID
    light = grey.reshape(-1, GRID, cell, GRID, cell).mean(axis=(2, 4), dtype=np.float32)
    parts = [_centred(light)]
    parts += [COLOUR_WEIGHT * 2 * _centred(colour[:, channel]) for channel in (0, 1)]
    found = np.concatenate(parts, axis=1)
    length = np.linalg.norm(found, axis=1, keepdims=True)
    unit: Vectors = np.where(length > FLAT, found / np.maximum(length, FLAT), np.float32(0))
    return unit


def candidates(
    queries: Signatures, blocks: Iterable[Signatures], *, within: bool = False
) -> Candidates:
    """The best ``DEPTH`` of all blocks for every query, as it is and mirrored.

    Args:
        queries: the images whose copies are looked for.
        blocks: the other images, some thousands at a time; rows count through all of them.
        within: the blocks hold the queries themselves; each pair is found once, from its first row.
    """
    sides = [(mirrored, vectors(queries, mirrored=mirrored)) for mirrored in (False, True)]
    found = Candidates.none()
    start = 0
    for block in blocks:
        others = vectors(block)
        parts = [found]
        for mirrored, side in sides:
            bars = _bars(found, len(queries), mirrored=mirrored)
            parts += _above(side, others, start, bars, mirrored=mirrored, within=within)
        start += len(block)
        found = _joined(parts).best(DEPTH)
    return found


def _bars(found: Candidates, queries: int, *, mirrored: bool) -> Vectors:
    """What a pair must reach to be kept, for every query: the floor, or its last place so far."""
    ours = found.take(found.mirrored == mirrored)
    full = np.bincount(ours.query, minlength=queries) >= DEPTH
    last = np.ones(queries, dtype=np.float32)
    np.minimum.at(last, ours.query, ours.similarity)
    return np.where(full, last, np.float32(FLOOR))


def _above(
    queries: Vectors,
    others: Vectors,
    start: int,
    bars: Vectors,
    *,
    mirrored: bool,
    within: bool,
) -> Iterator[Candidates]:
    """What passes the bars among others, the first of which is row ``start``."""
    for first in range(0, len(queries), QUERIES_AT_A_TIME):
        part = slice(first, first + QUERIES_AT_A_TIME)
        cosines = queries[part] @ others.T
        cells = np.flatnonzero(cosines >= bars[part, None])
        query, other = np.divmod(cells, max(len(others), 1))
        sides = np.full(len(cells), mirrored)
        found = Candidates(query + first, other + start, sides, cosines.ravel()[cells])
        if within:
            found = found.take(found.other > found.query)
        yield found.best(DEPTH)


def _joined(parts: Iterable[Candidates]) -> Candidates:
    whole = list(parts)
    return Candidates(
        np.concatenate([part.query for part in whole]),
        np.concatenate([part.other for part in whole]),
        np.concatenate([part.mirrored for part in whole]),
        np.concatenate([part.similarity for part in whole]),
    )


def _centred(values: NDArray[np.generic]) -> Vectors:
    flat = values.reshape(len(values), math.prod(values.shape[1:])).astype(np.float32)
    centred: Vectors = flat - flat.mean(axis=1, keepdims=True)
    return centred
