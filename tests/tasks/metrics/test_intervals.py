import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tasks.metrics.confusion import ConfusionMatrix
from tasks.metrics.intervals import (
    auroc_interval,
    auroc_variance,
    centred_percentiles,
    f1_interval,
    mean_interval,
    wilson,
)
from tests.tasks.metrics.made_by_hand import unhurried

proportions = st.integers(1, 1_000_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
confidences = st.floats(0.5, 0.9999)  # beyond, scipy's own quantile is less exact


def test_the_published_interval_of_6_of_50() -> None:
    assert wilson(6, 50) == pytest.approx((0.0562, 0.2380), abs=5e-5)


@unhurried
@given(proportions, confidences)
def test_wilson_is_that_of_scipy(proportion: tuple[int, int], confidence: float) -> None:
    hits, n = proportion
    expected = stats.binomtest(hits, n).proportion_ci(confidence, method="wilson")
    assert wilson(hits, n, confidence) == pytest.approx((expected.low, expected.high), abs=1e-11)


@unhurried
@given(proportions, confidences)
def test_wilson_contains_the_share_and_stays_within_0_and_1(
    proportion: tuple[int, int], confidence: float
) -> None:
    hits, n = proportion
    low, high = wilson(hits, n, confidence)
    assert 0 <= low <= hits / n <= high <= 1


@pytest.mark.parametrize("n", [1, 3, 7, 50, 9_999, 50_000])
def test_wilson_ends_exactly_at_0_and_1(n: int) -> None:
    assert wilson(0, n)[0] == 0
    assert wilson(n, n)[1] == 1
    assert wilson(0, n)[1] < 1
    assert wilson(n, n)[0] > 0


def test_wilson_mirrors_hits_and_misses() -> None:
    low, high = wilson(13, 40)
    assert wilson(27, 40) == pytest.approx((1 - high, 1 - low), abs=1e-15)


@pytest.mark.parametrize(("hits", "n"), [(0, 0), (1, 0), (-1, 5), (6, 5), (0, -1)])
def test_no_interval_for_what_is_no_proportion(hits: int, n: int) -> None:
    with pytest.raises(ValueError, match="no proportion"):
        wilson(hits, n)


@unhurried
@given(proportions, confidences)
def test_f1_is_the_jaccard_index_carried_over(
    proportion: tuple[int, int], confidence: float
) -> None:
    hits, union = proportion
    jaccard = stats.binomtest(hits, union).proportion_ci(confidence, method="wilson")
    low, high = f1_interval(hits, union, confidence)
    expected = [2 * j / (1 + j) for j in (jaccard.low, jaccard.high)]
    assert [low, high] == pytest.approx(expected, abs=1e-11)
    assert 0 <= low <= 2 * hits / (union + hits) + 1e-15
    assert 2 * hits / (union + hits) - 1e-15 <= high <= 1


@unhurried
@given(
    st.lists(st.floats(0, 100), min_size=2, max_size=50).filter(lambda v: np.std(v) > 1e-3),
    st.floats(0.5, 0.999),
)
def test_the_mean_has_students_interval(values: list[float], confidence: float) -> None:
    expected = stats.t.interval(
        confidence, len(values) - 1, loc=np.mean(values), scale=stats.sem(values)
    )
    low, high = mean_interval(sum(values), sum(v * v for v in values), len(values), confidence)
    assert (low, high) == pytest.approx(expected, abs=1e-6, rel=1e-6)
    assert low <= np.mean(values) <= high


def test_equal_values_have_an_interval_without_width() -> None:
    assert mean_interval(3 * 0.1, 3 * 0.1**2, 3) == pytest.approx((0.1, 0.1), abs=1e-7)


@pytest.mark.parametrize("n", [0, 1])
def test_no_interval_for_the_mean_of_fewer_than_two(n: int) -> None:
    with pytest.raises(ValueError, match=f"mean of {n} values"):
        mean_interval(0.5, 0.25, n)


def test_percentiles_move_onto_the_point() -> None:
    replicates = np.linspace(0.4, 0.6, 1001)
    assert centred_percentiles(0.5, replicates) == pytest.approx((0.405, 0.595))
    assert centred_percentiles(0.7, replicates) == pytest.approx((0.605, 0.795))
    assert centred_percentiles(0.7, replicates, 0.5) == pytest.approx((0.65, 0.75))


@unhurried
@given(st.floats(0, 1), st.lists(st.floats(0, 1), min_size=1, max_size=30), st.floats(0.5, 0.999))
def test_percentiles_contain_the_point_and_stay_within_0_and_1(
    point: float, replicates: list[float], confidence: float
) -> None:
    low, high = centred_percentiles(point, np.array(replicates), confidence)
    assert 0 <= low <= point <= high <= 1


CLASSES, SAMPLES = 10, 200
SHARES = np.array([0.16, 0.14, 0.12, 0.1, 0.1, 0.1, 0.08, 0.08, 0.06, 0.06])
RECALLS = np.array([0.95, 0.9, 0.85, 0.9, 0.7, 0.8, 0.6, 0.75, 0.5, 0.85])


def draws(datasets: int, seed: int) -> np.ndarray:
    """Confusion matrices [datasets, classes, classes] of a model with the recalls above."""
    return (
        np.random.default_rng(seed)
        .multinomial(SAMPLES, cells().ravel(), size=datasets)
        .reshape(datasets, CLASSES, CLASSES)
    )


def cells() -> np.ndarray:
    """The true joint distribution; errors fall on the next three classes."""
    joint = np.diag(SHARES * RECALLS)
    for step, part in ((1, 0.6), (2, 0.3), (3, 0.1)):
        for target in range(CLASSES):
            joint[target, (target + step) % CLASSES] += (
                part * SHARES[target] * (1 - RECALLS[target])
            )
    return joint


def coverage(intervals: list[tuple[float, float]], truth: float) -> float:
    return float(np.mean([low <= truth <= high for low, high in intervals]))


def test_the_interval_of_top1_covers_the_truth() -> None:
    truth = float(np.trace(cells()))
    intervals = [wilson(int(np.trace(counts)), SAMPLES) for counts in draws(1000, seed=1)]
    assert 0.93 <= coverage(intervals, truth) <= 0.97


@pytest.mark.parametrize("index", [0, 4, 8])
def test_the_interval_of_f1_covers_the_truth(index: int) -> None:
    joint = cells()
    both = joint[index, index]
    truth = 2 * both / (joint[index].sum() + joint[:, index].sum())
    intervals = []
    for counts in draws(500, seed=2):
        hits = int(counts[index, index])
        union = int(counts[index].sum() + counts[:, index].sum()) - hits
        intervals.append(f1_interval(hits, union))
    assert 0.92 <= coverage(intervals, truth) <= 0.99


def test_the_interval_of_macro_recall_covers_the_truth() -> None:
    intervals = []
    for seed, counts in enumerate(draws(200, seed=3)):
        matrix = ConfusionMatrix(counts)
        replicates = matrix.bootstrap(300, seed)["macro_recall"]
        intervals.append(centred_percentiles(matrix.averages()["macro_recall"], replicates))
    assert 0.90 <= coverage(intervals, float(RECALLS.mean())) <= 0.99


@unhurried
@given(st.integers(0, 100), st.integers(1, 60), st.integers(1, 5_000))
def test_the_interval_of_an_auroc_holds_it_and_has_width(
    share: int, positives: int, negatives: int
) -> None:
    value = share / 100
    low, high = auroc_interval(value, positives, negatives)
    assert 0 <= low <= value <= high <= 1
    assert high > low
    wider = auroc_interval(value, positives, negatives, 0.999)
    assert wider[0] <= low + 1e-9
    assert wider[1] >= high - 1e-9


def test_the_variance_of_an_auroc_is_that_of_hanley_and_mcneil() -> None:
    # Their example: 58 normal and 51 abnormal images, area 0.893, standard error about 0.032.
    assert sum(auroc_variance(0.893, 51, 58)) ** 0.5 == pytest.approx(0.032, abs=1e-3)
