from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tasks.metrics.calibration import FINE, Bins, Calibration
from tasks.metrics.selective import COVERAGES, aurc, risk_coverage
from tests.support.shared_data import SHARED, needs_shared
from tests.tasks.metrics.made_by_hand import unhurried


def exact_aurc(confidence: np.ndarray, right: np.ndarray) -> float:
    """The definition after a full sort."""
    order = np.argsort(-confidence, kind="stable")
    errors = np.cumsum(~right[order])
    return float((errors / np.arange(1, len(order) + 1)).mean())


def of_cells(counts: list[int], hits: list[int]) -> float:
    return float(aurc(np.array([counts]), np.array([hits]))[0])


@unhurried
@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_without_ties_it_is_that_of_a_sort(seed: int, n: int) -> None:
    right = np.random.default_rng(seed).random(n) < 0.7
    expected = exact_aurc(np.arange(n), right)
    assert of_cells([1] * n, right.astype(int).tolist()) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("counts", "hits"), [([2, 3], [1, 2]), ([4], [2]), ([0, 3, 0, 2], [0, 1, 0, 0])]
)
def test_ties_have_the_mean_over_all_orders(counts: list[int], hits: list[int]) -> None:
    orders: list[list[bool]] = [[]]
    for m, right in reversed(list(zip(counts, hits, strict=True))):
        cell = [True] * right + [False] * (m - right)
        orders = [so_far + list(order) for so_far in orders for order in permutations(cell)]
    total = Fraction(0)
    for order in orders:
        errors = np.cumsum([not right for right in order]).tolist()
        total += sum(Fraction(e, i + 1) for i, e in enumerate(errors)) / len(order)
    assert of_cells(counts, hits) == pytest.approx(float(total / len(orders)), abs=1e-12)


def test_all_right_is_0_and_all_wrong_is_1() -> None:
    assert of_cells([3, 5], [3, 5]) == 0
    assert of_cells([3, 5], [0, 0]) == pytest.approx(1)


def test_points_say_how_many_mistakes_are_left() -> None:
    # Of ten, the surest five are right, then every second one.
    sure = np.linspace(0.55, 0.99, 10).astype(np.float32)
    right = np.array([0, 1, 0, 1, 0, 1, 1, 1, 1, 1], dtype=bool)
    points = risk_coverage(Calibration.of(sure, right).fine)
    assert [(p.n, p.errors) for p in points] == [
        *((n, 0) for n in range(1, 6)),
        *((6, 1), (7, 1), (8, 2), (9, 2), (10, 3)),
    ]
    last = points[-1]
    assert (last.coverage, last.risk) == (1, 0.3)
    expected = stats.binomtest(3, 10).proportion_ci(method="wilson")
    assert (last.low, last.high) == pytest.approx((expected.low, expected.high))
    for point in points:
        assert (sure >= point.confidence).sum() == point.n


def test_no_samples_have_no_curve() -> None:
    assert risk_coverage(Bins.empty(FINE)) == ()


@needs_shared
def test_real_predictions_have_the_curve_of_a_sort() -> None:
    folder = SHARED / "data/label_errors"
    scores = np.load(folder / "cifar10_test_set_pyx.npy").astype(np.float32)
    targets = np.load(folder / "cifar10_test_set_original_labels.npy")
    sure, right = scores.max(axis=1), scores.argmax(axis=1) == targets
    fine = Calibration.of(sure, right).fine
    found = float(aurc(fine.counts[None, :], fine.hits[None, :])[0])
    # Within a cell the order is taken as chance.
    assert found == pytest.approx(exact_aurc(sure, right), abs=2e-5)
    points = risk_coverage(fine)
    assert len(points) == len(COVERAGES)
    ranked = ~right[np.argsort(-sure, kind="stable")]
    for point in points:
        assert point.errors == pytest.approx(ranked[: point.n].sum(), abs=2)
