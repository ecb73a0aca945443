import numpy as np
import pytest
from scipy import stats

from tasks.metrics.confusion import AVERAGES
from tasks.metrics.intervals import REPLICATES, SEED, centred_percentiles, wilson
from tasks.metrics.tallies import Tallies
from tests.tasks.metrics.made_by_hand import rows_of, tallies_of
from tests.tasks.metrics.summarised import overall


def test_means_have_students_interval() -> None:
    generator = np.random.default_rng(8)
    scores = generator.dirichlet(np.ones(4), 30)
    targets = generator.integers(0, 4, 30)
    nll = -np.log(scores[np.arange(30), targets])
    brier = ((scores - np.eye(4)[targets]) ** 2).sum(axis=1)
    found = overall(Tallies.of(rows_of(scores, targets.tolist()), 4))
    for name, values in (("nll", nll), ("brier", brier)):
        low, high = stats.t.interval(0.95, 29, loc=values.mean(), scale=stats.sem(values))
        metric = found[name]
        assert (metric.value, metric.low, metric.high) == pytest.approx(
            (values.mean(), low, high), abs=1e-6
        )
        assert (metric.n, metric.method) == (30, "student")


@pytest.mark.parametrize("n", [3, 100])
def test_all_right_and_all_wrong_are_no_certainty(n: int) -> None:
    for counts, value in ((np.diag([n, n]), 1), (np.array([[0, n], [n, 0]]), 0)):
        found = overall(tallies_of(counts))
        for name in AVERAGES:
            expected = stats.binomtest(value * 2 * n, 2 * n).proportion_ci(method="wilson")
            assert found[name].value == value
            assert (found[name].low, found[name].high) == pytest.approx(
                (expected.low, expected.high)
            )


def test_an_average_that_no_resample_moves_has_an_interval_with_width() -> None:
    # Precision of class 0 is always 1, of the others always 0: a third, in nearly every resample.
    found = overall(tallies_of(np.array([[10, 0, 0, 10], [0, 0, 0, 10], [0, 0, 0, 10], [0] * 4])))
    metric = found["macro_precision"]
    # It rests on the 10 predictions of class 0, and on classes 1 and 2 that never were predicted.
    assert (metric.value, metric.n) == (pytest.approx(1 / 3), 40)
    assert (metric.low, metric.high) == pytest.approx(wilson(30 / 3, 30))


def test_an_average_is_never_surer_than_its_effective_samples() -> None:
    # Nine classes of two images, one mistake: the bootstrap alone would say 0.83 to 1.
    counts = np.diag([2] * 9)
    counts[0, 0], counts[0, 1] = 1, 1
    metric = overall(tallies_of(counts))["balanced_accuracy"]
    low, high = wilson(17, 18)
    assert metric.value == pytest.approx(17 / 18)
    assert metric.low is not None
    assert metric.low <= low
    assert metric.high is not None
    assert metric.high >= high


def test_of_many_samples_the_bootstrap_decides() -> None:
    counts = np.array([[810, 190], [150, 850]])
    tallies = tallies_of(counts)
    metric = overall(tallies)["macro_f1"]
    replicates = tallies.confusion.bootstrap(REPLICATES, SEED)["macro_f1"]
    low, high = centred_percentiles(metric.value or 0, replicates)
    assert (metric.low, metric.high) == pytest.approx((low, high), abs=2e-3)
