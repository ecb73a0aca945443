"""Near-duplicates of CIFAR-10 that a published study lists, among all 50,000 training images."""

import pytest

from shards.reader import StoredSample
from tasks.health.pairing import find_copies
from tasks.health.signatures import Signatures, signature_table
from tests.support.shared_data import needs_shared
from tests.tasks.health.images import cifar_test, signed, train_bytes

pytestmark = [pytest.mark.system, needs_shared]

LISTED = (
    6611, 159, 7293, 6080, 2901, 896, 673, 516, 3745, 4989, 7029, 3991, 7052, 5243, 4362, 2830,
    576, 1071, 3641, 1920, 3520, 9703, 4297, 6563, 7075, 4424, 535, 3663, 6435, 8299, 5863, 6350,
    4332, 4105, 5423, 3763, 40, 2911, 104, 7225, 6503, 6864, 6893, 6668, 6009, 7264, 7294, 374,
    9183, 9413,
)  # fmt: skip
"""The 50 test images closest to a training image. Source: Barz and Denzler (2020), Journal of
Imaging 6(6), 41, duplicates_cifar10.csv; found with the features of a network, judged by people."""
PER_BLOCK = 10_000


def block(start: int) -> Signatures:
    images = train_bytes()[start : start + PER_BLOCK]
    samples = (StoredSample(f"{row}", row, image, None) for row, image in enumerate(images, start))
    return Signatures.of([signature_table(samples)])


def test_what_the_study_lists_is_found_and_little_else() -> None:
    others = [row for row in range(0, 10_000, 20) if row not in LISTED]
    rows = [*LISTED, *others]
    blocks = [block(start) for start in range(0, 50_000, PER_BLOCK)]
    found = find_copies(signed(cifar_test()[rows]), blocks, "test", "train")
    copied = {rows[int(key)] for key in found.pairs["key"].to_pylist()}
    assert len(copied & set(LISTED)) >= 47
    # The study counts 3.3 % of all test images; these are drawn without looking.
    assert 0.01 <= len(copied - set(LISTED)) / len(others) <= 0.06
