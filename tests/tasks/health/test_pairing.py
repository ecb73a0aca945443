"""Copies are found once, exact ones as such; real near-duplicates of CIFAR-10 are among them."""

import numpy as np
import pytest

from tasks.health.copies import PAIRS_SCHEMA, FoundCopies
from tasks.health.nearest import DEPTH
from tasks.health.pairing import find_copies
from tasks.health.signatures import Signatures
from tests.support.shared_data import needs_shared
from tests.tasks.health.images import cifar_test, scenes, signed, train_bytes, train_image

PAIRS = (
    (6341, 44502), (6173, 3701), (4937, 6090), (3572, 8453), (5761, 23586), (2813, 47601),
    (4188, 2036), (6885, 18750), (2544, 17702), (3784, 5665), (7694, 18679), (9653, 17366),
    (3261, 5420), (5368, 18713), (8771, 2116), (3965, 33500), (9738, 26786), (8707, 9452),
    (149, 30202), (6847, 44448), (6820, 3551), (7889, 35421), (8791, 21766), (8027, 14744),
    (4091, 18659), (8526, 45613), (6724, 39139), (5800, 1892), (2865, 25606), (4868, 24140),
)  # fmt: skip
"""Every eighth pair of a search through all 10,000 and 50,000, looked at by eye: test index in the
official order, row of the training file in ../shared."""
MIRRORED = {6341, 2813, 4188, 6847, 8027}


def pairs_of(found: FoundCopies) -> set[tuple[str, str]]:
    return {(row["key"], row["other"]) for row in found.pairs.to_pylist()}


@needs_shared
def test_real_near_duplicates_are_found_and_nothing_else() -> None:
    others = [row for row in range(0, 10_000, 25) if row not in dict(PAIRS)]
    test_rows = [*dict(PAIRS), *others]
    test_images = signed(cifar_test()[test_rows])
    rest = [row for row in range(50, 50_000, 100) if row not in dict(PAIRS).values()]
    train_rows = [*dict(PAIRS).values(), *rest]
    half = len(train_rows) // 2
    images = [train_image(row) for row in train_rows]
    found = find_copies(
        test_images, [signed(images[:half], "a"), signed(images[half:], "b")], "x", "y"
    )
    # In that search none of the others has a copy among these rows.
    keys = {test_rows[int(row["key"])] for row in found.pairs.to_pylist()}
    assert keys == set(dict(PAIRS))
    assert (found.record.n, found.record.other_n) == (len(test_rows), len(train_rows))
    assert (found.record.exact, found.record.near, found.record.pairs) == (
        0,
        len(PAIRS),
        len(PAIRS),
    )
    mirrored = {test_rows[int(r["key"])] for r in found.pairs.to_pylist() if r["mirrored"]}
    assert mirrored == MIRRORED
    assert len(train_bytes()) == 50_000


def test_exact_copies_are_exact_and_counted_once() -> None:
    images = scenes(6)
    found = find_copies(
        signed(images), [signed(images[2:4], "t"), signed(images[:1], "u")], "a", "b"
    )
    assert pairs_of(found) == {("2", "t0"), ("3", "t1"), ("0", "u0")}
    assert set(found.pairs["kind"].to_pylist()) == {"exact"}
    assert set(found.pairs["distance"].to_pylist()) == {0.0}
    assert (found.record.exact, found.record.near, found.record.copied) == (3, 0, 3)


def test_a_mirrored_copy_is_near_and_says_so() -> None:
    image = scenes(1)
    found = find_copies(signed(image), [signed(image[:, :, ::-1])], "a", "b")
    (row,) = found.pairs.to_pylist()
    assert (row["kind"], row["mirrored"], row["verified"]) == ("near", True, "registered structure")
    assert row["distance"] == pytest.approx(0, abs=0.01)


def test_within_a_split_a_pair_counts_once_and_an_image_is_no_copy_of_itself() -> None:
    images = scenes(5)
    images[4] = images[1]
    images[3] = images[0, :, ::-1]
    signatures = signed(images)
    found = find_copies(signatures, [signatures], "a", "a")
    assert pairs_of(found) == {("1", "4"), ("0", "3")}
    assert (found.record.exact, found.record.near) == (2, 2)


def test_many_equal_images_do_not_make_a_square_of_pairs() -> None:
    even = signed(np.zeros((200, 32, 32, 3), np.uint8))
    found = find_copies(even, [even], "a", "a")
    assert found.record.exact == 200
    assert found.record.pairs <= 200 * DEPTH


def test_nothing_to_compare() -> None:
    found = find_copies(signed([]), [], "a", "b")
    assert (found.record.n, found.record.pairs) == (0, 0)
    assert found.pairs.schema.equals(PAIRS_SCHEMA)


def test_unreadable_images_are_counted() -> None:
    images = signed(scenes(2))
    lacking = Signatures(images.keys, images.pixels, images.grey, images.colour, unreadable=3)
    found = find_copies(lacking, [lacking, images], "a", "b")
    assert (found.record.unreadable, found.record.other_unreadable) == (3, 3)
