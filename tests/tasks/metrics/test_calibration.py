from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.metrics.calibration import (
    FINE,
    FIXED_POINT,
    WIDE,
    Bins,
    Calibration,
    cell_floors,
    equal_mass_ends,
    fine_cells,
)
from tests.support.shared_data import SHARED, needs_shared
from tests.tasks.metrics.made_by_hand import unhurried

confidences = st.floats(0, 1, width=32)
rows = st.lists(st.tuples(confidences, st.booleans()), max_size=60)


def calibration_of(pairs: list[tuple[float, bool]]) -> Calibration:
    sure, right = [p[0] for p in pairs], [p[1] for p in pairs]
    return Calibration.of(np.array(sure, dtype=np.float32), np.array(right, dtype=bool))


def facts(bins: Bins) -> list[list[int]]:
    return [part.tolist() for part in (bins.counts, bins.hits, bins.confidence)]


def naive_ece(confidence: np.ndarray, right: np.ndarray) -> float:
    """The definition, over equal-width bins closed on the right, in float64."""
    edges = np.linspace(0, 1, WIDE + 1)
    error = 0.0
    for low, high in pairwise(edges):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            error += abs(right[inside].mean() - confidence[inside].mean()) * inside.mean()
    return error


def naive_equal_mass_ece(confidence: np.ndarray, right: np.ndarray) -> float:
    """The sorted samples in fifteen parts whose sizes differ by one at most."""
    order = np.argsort(confidence, kind="stable")
    parts = np.array_split(order, WIDE)
    return sum(
        abs(right[part].mean() - confidence[part].mean()) * len(part) for part in parts
    ) / len(order)


@unhurried
@given(rows, rows, rows)
def test_parts_add_up_to_the_whole_in_any_order(a: list, b: list, c: list) -> None:
    whole = calibration_of(a + b + c)
    for parts in ((a, b, c), (c, a, b)):
        first, second, third = (calibration_of(part) for part in parts)
        merged = first + (second + third)
        assert facts(merged.wide) == facts(whole.wide)
        assert facts(merged.fine) == facts(whole.fine)


@unhurried
@given(rows)
def test_all_rows_are_counted_once(pairs: list[tuple[float, bool]]) -> None:
    found = calibration_of(pairs)
    total = sum(round(sure * FIXED_POINT) for sure, _ in pairs)
    for bins in (found.wide, found.fine):
        assert bins.n == len(pairs)
        assert bins.hits.sum() == sum(right for _, right in pairs)
        assert bins.confidence.sum() == total


def test_one_pass_counts_for_both_sets_of_bins_at_every_border() -> None:
    """Where a bin of equal width ends, where a cell begins, and one float32 to each side."""
    borders = np.concatenate([np.arange(WIDE + 1) / WIDE, cell_floors(), [0, 1, 1 + 2**-23]])
    at = borders.astype(np.float32)
    beside = [np.nextafter(at, np.float32(end)) for end in (0, 1)]
    sure = np.concatenate([at, *beside])
    right = np.arange(len(sure)) % 3 == 0
    wide = np.array([max(1, min(WIDE, -(-Fraction(float(c)) * WIDE // 1))) - 1 for c in sure])
    fixed = np.rint(sure.astype(np.float64) * FIXED_POINT)
    found = Calibration.of(sure, right)
    assert facts(found.wide) == facts(Bins.of(wide.astype(np.int64), fixed, right, WIDE))
    assert facts(found.fine) == facts(Bins.of(fine_cells(sure), fixed, right, FINE))


@unhurried
@given(st.lists(confidences, min_size=1, max_size=40))
def test_cells_rise_with_confidence_and_begin_at_their_floors(values: list[float]) -> None:
    sure = np.sort(np.array(values, dtype=np.float32))
    cells = fine_cells(sure)
    assert ((cells >= 0) & (cells < FINE)).all()
    assert (np.diff(cells) >= 0).all()
    floors = np.append(cell_floors(), 1.0)
    assert (np.diff(floors) >= 0).all()
    assert (floors[cells] <= sure).all()
    assert (sure <= floors[cells + 1]).all()


def test_cells_are_narrow_where_the_crowd_is() -> None:
    floors = np.append(cell_floors(), 1.0)
    middles = (floors[1:] + floors[:-1]) / 2
    near = np.minimum(middles, 1 - middles)
    # Beyond 2^-24 from either end lies one last cell.
    inner = near > 2.0**-23
    assert (np.diff(floors)[inner] <= near[inner] / 32).all()


@pytest.mark.parametrize("index", range(1, WIDE))
def test_wide_bins_are_closed_on_the_right(index: int) -> None:
    # The float32 next to index/15 from below lies in its bin, the one above does not.
    nearest = np.float32(index / WIDE)
    below = nearest if float(nearest) * WIDE <= index else np.nextafter(nearest, np.float32(0))
    above = np.nextafter(below, np.float32(1))
    found = calibration_of([(float(below), True), (float(above), True)])
    assert np.flatnonzero(found.wide.counts).tolist() == [index - 1, index]


def test_the_ends_belong_to_the_outer_bins() -> None:
    found = calibration_of([(0.0, False), (1.0, True), (1.0000001, True)])
    assert found.wide.counts.tolist() == [1, *[0] * (WIDE - 2), 2]
    assert (found.fine.counts[0], found.fine.counts[-1]) == (1, 2)


@unhurried
@given(st.integers(0, 2**32 - 1), st.integers(1, 400))
def test_the_error_is_the_definitions(seed: int, n: int) -> None:
    generator = np.random.default_rng(seed)
    sure = generator.beta(4, 1, n).astype(np.float32)
    right = generator.random(n) < sure
    expected = naive_ece(sure.astype(np.float64), right)
    # Sums are kept in units of 2^-32.
    assert Calibration.of(sure, right).wide.ece == pytest.approx(expected, abs=1e-9)


def test_many_rows_are_summed_exactly() -> None:
    sure = np.full(2_500_000, np.float32(0.9))
    found = Calibration.of(sure, np.ones(len(sure), dtype=bool))
    assert found.wide.confidence.sum() == len(sure) * int(float(np.float32(0.9)) * FIXED_POINT)


def test_bins_of_equal_mass_are_of_equal_mass() -> None:
    sure = np.random.default_rng(2).beta(6, 1, 30_000).astype(np.float32)
    counts = Calibration.of(sure, sure > 0.5).fine.counts
    joined = Calibration.of(sure, sure > 0.5).fine.joined(equal_mass_ends(counts))
    assert len(joined.counts) == WIDE
    assert joined.n == 30_000
    # No border is further from its place than half the fullest cell.
    assert np.abs(joined.counts.cumsum() - 2_000 * np.arange(1, WIDE + 1)).max() <= counts.max() / 2


@pytest.mark.parametrize(("sure", "bins"), [([], 0), ([0.7], 1), ([0.9] * 50, 1), ([0.9, 0.8], 2)])
def test_fewer_bins_where_there_are_few_confidences(sure: list[float], bins: int) -> None:
    counts = calibration_of([(value, True) for value in sure]).fine.counts
    assert len(equal_mass_ends(counts)) == bins


def test_resamples_keep_n_and_the_confidence_of_a_bin() -> None:
    sure = np.random.default_rng(2).beta(6, 1, 500).astype(np.float32)
    bins = Calibration.of(sure, sure > 0.8).wide
    counts, hits, confidence = bins.resampled(200, seed=1)
    assert (counts.sum(axis=1) == 500).all()
    assert (hits <= counts).all()
    assert confidence.sum(axis=1).mean() == pytest.approx(sure.sum(), rel=0.01)


@needs_shared
def test_published_predictions_give_the_published_error() -> None:
    folder = SHARED / "data/label_errors"
    scores = np.load(folder / "cifar10_test_set_pyx.npy")
    targets = np.load(folder / "cifar10_test_set_original_labels.npy").astype(np.int64)
    sure = scores.max(axis=1)
    right = scores.argmax(axis=1) == targets
    found = Calibration.of(sure.astype(np.float32), right)
    assert found.wide.ece == pytest.approx(0.0325885, abs=1e-7)
    assert found.wide.ece == pytest.approx(naive_ece(sure.astype(np.float64), right), abs=1e-7)
    # Borders are moved to those of cells: so far the two may differ, on real predictions.
    mass = found.fine.joined(equal_mass_ends(found.fine.counts))
    assert mass.ece == pytest.approx(naive_equal_mass_ece(sure.astype(float), right), abs=5e-4)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -0.1, 2.0])
def test_a_confidence_that_is_no_probability_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="not between 0 and 1"):
        Calibration.of(np.array([0.5, wrong], dtype=np.float32), np.array([True, False]))
