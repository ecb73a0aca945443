"""One rule for arrays and tensors: tests hold both against each other and against plain sorting."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.special import log_softmax

from tasks.models.spec import Output
from tasks.models.tensors import TENSORS
from tasks.predictions.ranking import (
    NUMPY,
    TOP_K,
    Ranked,
    check_output,
    check_ranked,
    log_probabilities,
    rank,
)
from tests.support.gpu import needs_gpu
from tests.tasks.predictions.alike import assert_alike

OUTPUTS = ("logits", "probabilities", "log_probabilities")
unhurried = settings(deadline=None, max_examples=60)
# Few distinct values, so that there are many ties.
logits = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 8), st.integers(1, 12)),
    elements=st.sampled_from([-3.0, -0.5, -0.0, 0.0, 1.0, 1.25, 40.0]),
)


@st.composite
def cases(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Scores with many ties, a half below zero, some minus zero or minus infinity; targets."""
    drawn = np.random.default_rng(draw(st.integers(0, 10**6)))
    classes = draw(st.sampled_from([1, 2, 5, 10, 64, 65, 100, 1000, 1001]))
    levels = draw(st.sampled_from([2, 5, 10**6]))
    scores = (drawn.integers(-levels, levels, (7, classes)) / levels).astype(np.float32)
    scores[drawn.random(scores.shape) < 0.05] = np.float32(-0.0)
    scores[drawn.random(scores.shape) < 0.05] = -np.inf
    return scores, drawn.integers(-1, classes, 7)


def on(device: str, scores: np.ndarray, targets: np.ndarray, output: Output = "logits") -> Ranked:
    moved = (torch.from_numpy(given).to(device) for given in (scores, targets))
    return rank(TENSORS, *moved, output).mapped(lambda found: found.cpu().numpy())


@unhurried
@given(cases(), st.sampled_from(OUTPUTS))
def test_tensors_rank_as_arrays_do(case: tuple[np.ndarray, np.ndarray], output: Output) -> None:
    scores, targets = case
    if output != "logits":
        scores = log_softmax(np.maximum(scores, -1.0), axis=1)
    if output == "probabilities":
        scores = np.exp(scores)
    assert_alike(on("cpu", scores, targets, output), rank(NUMPY, scores, targets, output))


@needs_gpu
@unhurried
@given(cases())
def test_a_device_ranks_as_arrays_do(case: tuple[np.ndarray, np.ndarray]) -> None:
    assert_alike(on("cuda:0", *case), rank(NUMPY, *case, "logits"))


@unhurried
@given(cases())
def test_the_best_are_the_head_of_a_stable_sort_and_the_rank_a_place_in_it(
    case: tuple[np.ndarray, np.ndarray],
) -> None:
    scores, targets = case
    order = np.argsort(-scores, axis=1, kind="stable")
    for found in (rank(NUMPY, scores, targets, "logits"), on("cpu", scores, targets)):
        assert found.topk.tolist() == order[:, :TOP_K].tolist()
        places = [
            int(np.flatnonzero(row == t)[0])
            for row, t in zip(order, targets, strict=True)
            if t >= 0
        ]
        assert found.target_rank[targets >= 0].tolist() == places


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_what_was_ranked_tells_of_scores_that_are_none(output: Output, wrong: float) -> None:
    scores = np.full((3, 4), 0.25, dtype=np.float32)
    scores[1] = wrong
    expected = check_output(scores, output)
    assert expected is not None
    nobody = np.full(3, -1)
    assert check_ranked(rank(NUMPY, scores, nobody, output), output) == expected
    assert check_ranked(on("cpu", scores, nobody, output), output) == expected


def test_parts_are_joined_in_their_order() -> None:
    scores = np.random.default_rng(3).normal(size=(7, 12)).astype(np.float32)
    targets = np.arange(7)
    whole = rank(NUMPY, scores, targets, "logits")
    parts = [whole.mapped(lambda column, at=at: column[at : at + 3]) for at in (0, 3, 6)]
    joined = Ranked.joined(parts)
    for field in dataclasses.fields(Ranked):
        np.testing.assert_array_equal(getattr(joined, field.name), getattr(whole, field.name))


@unhurried
@given(logits)
def test_log_probabilities_are_those_of_scipy(scores: np.ndarray) -> None:
    expected = log_softmax(scores.astype(np.float64), axis=1)
    assert log_probabilities(scores, "logits") == pytest.approx(expected, abs=1e-12)
    logs = expected.astype(np.float32)
    assert log_probabilities(logs, "log_probabilities") == pytest.approx(logs, abs=0)
    assert log_probabilities(np.exp(logs), "probabilities") == pytest.approx(expected, abs=1e-5)


def test_large_logits_do_not_overflow() -> None:
    scores = np.array([[1e30, 0, -1e30], [-1e30, -1e30, -1e30]], dtype=np.float32)
    assert np.exp(log_probabilities(scores, "logits")) == pytest.approx(
        np.array([[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]])
    )


@pytest.mark.parametrize(
    ("scores", "output", "fault"),
    [
        ([[2.0, -1.0]], "logits", None),
        ([[2.0, -np.inf]], "logits", None),
        ([[0.2, 0.3], [0.5, 0.5]], "logits", None),
        ([[0.2, 0.8], [0.5, 0.5]], "logits", "outputs are probabilities"),
        ([[1.0], [1.0]], "logits", None),  # of one class nothing can be said
        ([[2.0, 1.0], [-np.inf, -np.inf]], "logits", "nothing but -infinity"),
        ([[-np.inf, -np.inf]], "probabilities", "nothing but -infinity"),
        ([[-np.inf], [0.0]], "log_probabilities", "nothing but -infinity"),
        ([[0.2, 0.8], [1.0, 0.0]], "probabilities", None),
        ([[0.2, 0.7]], "probabilities", "sum 1"),
        ([[1.5, -0.5]], "probabilities", "between 0 and 1"),
        ([[np.log(0.2), np.log(0.8)], [0.0, -np.inf]], "log_probabilities", None),
        ([[0.2, 0.8]], "log_probabilities", "exponentials"),
        ([[np.nan, 0.8]], "logits", "NaN or infinity"),
        ([[np.inf, 0.8]], "log_probabilities", "NaN or infinity"),
    ],
)
def test_scores_are_checked_against_what_the_model_declares(
    scores: list[list[float]], output: Output, fault: str | None
) -> None:
    found = check_output(np.array(scores, dtype=np.float32), output)
    if fault is None:
        assert found is None
    else:
        assert found is not None
        assert fault in found


@pytest.mark.parametrize("output", ["logits", "probabilities", "log_probabilities"])
def test_of_no_scores_nothing_is_wrong(output: Output) -> None:
    assert check_output(np.zeros((0, 3), dtype=np.float32), output) is None
