"""The blocked search finds what comparing every pair with every other finds."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tasks.health.nearest import DEPTH, DIMENSIONS, FLOOR, Candidates, candidates, vectors
from tasks.health.signatures import Signatures
from tests.tasks.health.images import scenes, signed
from tests.tasks.metrics.made_by_hand import few


def smooth(n: int, seed: int) -> Signatures:
    """Few structures, so that many pairs pass the floor, a third of them mirrored ones."""
    kinds = scenes(4, seed=seed)
    generator = np.random.default_rng(seed)
    images = kinds[generator.integers(0, 4, n)].astype(int)
    images = images + generator.normal(scale=15, size=images.shape)
    images = np.clip(images, 0, 255).astype(np.uint8)
    images[::3] = images[::3, :, ::-1]
    return signed(images)


def part(images: Signatures, start: int, stop: int) -> Signatures:
    rows = slice(start, stop)
    return Signatures(
        images.keys[rows], images.pixels[rows], images.grey[rows], images.colour[rows], 0
    )


def by_hand(queries: Signatures, others: Signatures, *, within: bool) -> set[tuple[int, int, bool]]:
    """Every pair, one at a time, in float64."""
    found = set()
    b = vectors(others).astype(np.float64)
    for mirrored in (False, True):
        for query, a in enumerate(vectors(queries, mirrored=mirrored).astype(np.float64)):
            near = [
                (-float(a @ b[row]), row)
                for row in range(len(b))
                if a @ b[row] >= FLOOR and (row > query or not within)
            ]
            found |= {(query, row, mirrored) for _, row in sorted(near)[:DEPTH]}
    return found


def rows_of(found: Candidates) -> set[tuple[int, int, bool]]:
    columns = (found.query.tolist(), found.other.tolist(), found.mirrored.tolist())
    return set(zip(*columns, strict=True))


@few
@given(
    st.integers(min_value=0, max_value=50),
    st.lists(st.integers(min_value=0, max_value=40), max_size=3),
    st.booleans(),
)
def test_blocks_find_what_brute_force_finds(seed: int, cuts: list[int], within: bool) -> None:
    others = smooth(40, seed)
    queries = others if within else smooth(12, seed + 100)
    edges = [0, *sorted(cuts), 40]
    blocks = [part(others, a, b) for a, b in itertools.pairwise(edges)]
    found = rows_of(candidates(queries, blocks, within=within))
    expected = by_hand(queries, others, within=within)
    assert found == expected


def test_light_contrast_and_lost_colour_do_not_matter() -> None:
    image = scenes(1)[0]
    changed = np.clip(image * 0.6 + 60, 0, 255).astype(np.uint8)
    grey = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    found = vectors(signed([image, changed, grey]))
    assert found.shape == (3, DIMENSIONS)
    assert found[0] @ found[1] > 0.98
    assert found[0] @ found[2] > FLOOR


def test_an_even_picture_is_like_nothing() -> None:
    even = signed(np.full((2, 32, 32, 3), 90, np.uint8))
    assert len(candidates(even, [even])) == 0


def test_nothing_among_nothing() -> None:
    nothing = signed([])
    assert len(candidates(nothing, [nothing])) == 0
    assert len(candidates(signed(scenes(2)), [])) == 0
