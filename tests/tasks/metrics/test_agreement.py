import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score, matthews_corrcoef

from tasks.metrics.agreement import AGREEMENTS
from tasks.metrics.confusion import ConfusionMatrix
from tasks.metrics.summary import overall_metrics
from tests.tasks.metrics.made_by_hand import tallies_of, unhurried

index = st.integers(0, 4)
pairs = st.lists(st.tuples(index, index), min_size=1, max_size=60)


@unhurried
@given(pairs)
def test_both_are_those_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    targets, predicted = np.array(pairs).T
    found = ConfusionMatrix.of(targets, predicted, 5).agreements()
    assert tuple(found) == AGREEMENTS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a single label, which is one of the cases here
        expected = {
            "mcc": matthews_corrcoef(targets, predicted),
            "kappa": cohen_kappa_score(targets, predicted),
        }
    one_target, one_prediction = (len(set(part)) == 1 for part in (targets, predicted))
    if one_target or one_prediction:
        assert np.isnan(found["mcc"])
    else:
        assert found["mcc"] == pytest.approx(expected["mcc"], abs=1e-9)
    if one_target and one_prediction and targets[0] == predicted[0]:
        assert np.isnan(found["kappa"])
    else:
        assert found["kappa"] == pytest.approx(expected["kappa"], abs=1e-9)


def test_fifty_million_samples_do_not_overflow() -> None:
    counts = np.full((1000, 1000), 25, dtype=np.int64) + np.diag([25_000] * 1000)
    found = ConfusionMatrix(counts).agreements()
    n = counts.sum()
    expected = (counts.trace() / n - 1 / 1000) / (1 - 1 / 1000)
    assert n == 50_000_000
    assert found == pytest.approx({"mcc": expected, "kappa": expected}, abs=1e-12)


def test_without_samples_there_is_none() -> None:
    assert ConfusionMatrix(np.zeros((3, 3), dtype=np.int64)).agreements() == {}


def test_intervals_cover_the_truth() -> None:
    truth = np.array([[0.25, 0.05, 0.03], [0.04, 0.28, 0.02], [0.05, 0.03, 0.25]])
    expected = ConfusionMatrix((truth * 100).astype(np.int64)).agreements()
    covered = dict.fromkeys(AGREEMENTS, 0)
    for seed in range(100):
        drawn = np.random.default_rng(seed).multinomial(200, truth.ravel()).reshape(3, 3)
        for metric in overall_metrics(tallies_of(drawn)):
            if metric.name in AGREEMENTS and metric.low is not None and metric.high is not None:
                covered[metric.name] += metric.low <= expected[metric.name] <= metric.high
    assert all(90 <= count <= 100 for count in covered.values()), covered
