"""How even the classes are."""

import numpy as np
import pytest
from scipy import stats

from tasks.health.class_imbalance import class_imbalance
from tests.tasks.metrics.made_by_hand import scoring_of, tallies_of


def found_for(*support: int):
    return class_imbalance(scoring_of(tallies_of(np.diag(support))))


def test_even_classes_are_as_many_as_they_are() -> None:
    found = found_for(100, 100, 100, 100)
    assert found.severity == "info"
    assert found.sentence.startswith("Each of 4 classes has 100 images.")


@pytest.mark.parametrize(("small", "severity"), [(99, "info"), (100, "info"), (11, "warn")])
def test_from_ten_to_one_it_warns(small: int, severity: str) -> None:
    assert found_for(110, small).severity == severity
    assert found_for(1000, 100).severity == "warn"


def test_the_effective_number_is_that_of_renyi() -> None:
    support = (900, 60, 40)
    shares = np.array(support) / 1000
    # Order 2 of Rényi's entropy, exponentiated: another road to the same number.
    expected = np.exp(-np.log(stats.entropy([1]) + (shares**2).sum()))
    assert f"as even as {expected:.3g} equal ones" in found_for(*support).sentence


def test_what_it_does_to_averages_is_in_the_evidence() -> None:
    counts = np.array([[990, 0], [10, 0]])
    found = class_imbalance(scoring_of(tallies_of(counts)))
    figures = {metric.name: metric.value for metric in found.evidence.metrics}
    assert figures["top1"] == 0.99
    assert figures["balanced_accuracy"] == 0.5
    assert "Plain accuracy is 99.0 %, the mean over classes 50.0 %" in found.sentence
    assert found.evidence.classes == ("c1",)


def test_absent_classes_are_told_and_do_not_count() -> None:
    found = found_for(50, 0, 50)
    assert found.severity == "info"
    assert "1 class has no image at all" in found.sentence
    assert not found_for(50, 0).checked
    assert not found_for(0, 0).checked
