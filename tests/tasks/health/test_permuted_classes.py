"""A wrong order of classes is found; a bad model is only bad."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shards.sample import ClassList
from tasks.health.permuted_classes import permuted_classes
from tests.tasks.metrics.made_by_hand import few, scoring_of, tallies_of


def drawn(classes: int, each: int, skill: float, seed: int) -> np.ndarray:
    """Confusion of a model that is right with probability ``skill``, else guesses."""
    generator = np.random.default_rng(seed)
    counts = np.zeros((classes, classes), dtype=np.int64)
    for target in range(classes):
        chances = np.full(classes, (1 - skill) / classes)
        chances[target] += skill
        counts[target] = generator.multinomial(each, chances)
    return counts


@few
@given(
    st.permutations(range(10)),
    st.floats(min_value=0.9, max_value=1),
    st.integers(min_value=0, max_value=1000),
)
def test_any_permutation_of_a_good_model_is_found(
    order: list[int], skill: float, seed: int
) -> None:
    counts = drawn(10, 100, skill, seed)[:, order]
    found = permuted_classes(scoring_of(tallies_of(counts)))
    moved = [target for target in range(10) if order[target] != target]
    # Column j of the permuted matrix is what was called order[j] before.
    expected = {(order[j], j) for j in range(10) if order[j] != j}
    assert {(pair.target, pair.prediction) for pair in found.evidence.confused} == expected
    assert (found.severity == "warn") == bool(moved)


@few
@given(
    st.sampled_from([0.0, 0.1, 0.3, 0.6, 0.9]),
    st.sampled_from([1, 5, 20, 100]),
    st.integers(min_value=2, max_value=40),
    st.integers(min_value=0, max_value=1000),
)
def test_a_bad_model_is_not_called_permuted(
    skill: float, each: int, classes: int, seed: int
) -> None:
    found = permuted_classes(scoring_of(tallies_of(drawn(classes, each, skill, seed))))
    assert found.severity == "info"


def test_a_model_that_says_one_thing_only_is_not_permuted() -> None:
    counts = np.zeros((10, 10), dtype=np.int64)
    counts[:, 4] = 100
    assert permuted_classes(scoring_of(tallies_of(counts))).severity == "info"


def test_the_sentence_says_what_the_right_order_would_give() -> None:
    counts = np.diag([100] * 10)[:, [1, 0, *range(2, 10)]]
    names = ("<script>", "b", *(f"c{i}" for i in range(8)))
    found = permuted_classes(scoring_of(tallies_of(counts), ClassList.of_names(names)))
    assert "<script> as b (100 times)" in found.sentence
    assert "100.0 % of 1,000 images would be right instead of 80.0 %" in found.sentence


@pytest.mark.parametrize("each", [0, 1, 3])
def test_too_few_images_are_not_checked(each: int) -> None:
    assert not permuted_classes(scoring_of(tallies_of(np.diag([each] * 10)))).checked
