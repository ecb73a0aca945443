"""98 % that say nothing, and 98 % that hide a class."""

import numpy as np

from shards.sample import ClassList
from tasks.health.accuracy_paradox import accuracy_paradox
from tests.tasks.metrics.made_by_hand import scoring_of, tallies_of

HOSTILE = "<script>alert(1)</script>"


def otters() -> np.ndarray:
    """98 % right over ten classes, and 6 of 50 otters."""
    counts = np.diag([650] * 9 + [6])
    counts[9, 0] = 44
    for target in range(9):
        counts[target, (target + 1) % 9] = 8
    return counts


def test_a_constant_answer_is_no_knowledge() -> None:
    counts = np.array([[980, 0], [20, 0]])
    found = accuracy_paradox(scoring_of(tallies_of(counts)))
    assert found.severity == "warn"
    assert "always answering c0, the largest class, is right for 98.0 %" in found.sentence
    assert "not shown to know more" in found.sentence


def test_a_class_at_12_percent_under_98_is_named_with_its_interval() -> None:
    classes = ClassList.of_names((*(f"c{i}" for i in range(9)), HOSTILE))
    found = accuracy_paradox(scoring_of(tallies_of(otters()), classes))
    assert found.severity == "warn"
    assert "12.0 % (6 of 50" in found.sentence
    assert found.evidence.classes == (HOSTILE,)
    assert found.evidence.classes_total == 1
    assert found.advice


def test_an_even_model_is_fine_and_says_with_how_many_images() -> None:
    counts = np.full((10, 10), 1) + np.diag([90] * 10)
    found = accuracy_paradox(scoring_of(tallies_of(counts)))
    assert (found.severity, found.checked) == ("info", True)
    assert "910 of 1,000" in found.sentence


def test_few_images_of_a_class_prove_nothing() -> None:
    counts = np.diag([1000, 1000, 0])
    counts[2, 0] = 1
    assert accuracy_paradox(scoring_of(tallies_of(counts))).severity == "info"


def test_nothing_predicted_and_one_class_only() -> None:
    assert not accuracy_paradox(scoring_of(tallies_of(np.zeros((3, 3), int)))).checked
    assert accuracy_paradox(scoring_of(tallies_of(np.diag([50, 0])))).severity == "info"
