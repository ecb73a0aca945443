import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import (
    accuracy_score,
    precision_recall_curve,
    precision_score,
    recall_score,
)

from tasks.metrics.intervals import wilson
from tasks.metrics.threshold import ClassScores, CurvePoint, Wanted, choose
from tasks.predictions.schema import Scored, prediction_rows, score_rows
from tests.tasks.metrics.made_by_hand import unhurried


def seen(
    probabilities: NDArray[np.floating], targets: list[int | None], class_index: int
) -> ClassScores:
    keys = [f"k{row}" for row in range(len(targets))]
    said = Scored(
        keys, targets, probabilities.astype(np.float32), [None] * len(targets), "probabilities"
    )
    scores = score_rows(said)
    assert scores is not None
    return ClassScores.of(prediction_rows(said), scores, class_index)


@st.composite
def predictions(draw: st.DrawFn) -> tuple[NDArray[np.float64], list[int]]:
    """Probabilities [n, 3] with many ties, and targets."""
    n = draw(st.integers(1, 30))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    weights = generator.integers(1, 5, (n, 3))
    targets = draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))
    return weights / weights.sum(axis=1, keepdims=True), targets


def decided(probabilities: NDArray[np.floating], class_index: int, threshold: float) -> list[int]:
    """The rule as a deployment writes it (docs/targets.md)."""
    found = []
    for row in probabilities.astype(np.float32).tolist():
        others = [index for index in range(len(row)) if index != class_index]
        is_class = row[class_index] >= threshold
        found.append(class_index if is_class else max(others, key=lambda index: row[index]))
    return found


@unhurried
@given(predictions())
def test_the_curve_is_that_of_scikit_learn(case: tuple[NDArray[np.float64], list[int]]) -> None:
    probabilities, targets = case
    scores = seen(probabilities, list(targets), 1)
    positive = np.array(targets) == 1
    curve = list(scores.curve())
    if not positive.any():
        assert not curve
        return
    precision, recall, thresholds = precision_recall_curve(positive, scores.score)
    theirs = {
        float(threshold): (p, r)
        for threshold, p, r in zip(thresholds, precision, recall, strict=False)
    }
    for point in curve:
        ours = point.hits / point.called, point.hits / scores.support
        assert ours == pytest.approx(theirs[point.threshold], abs=1e-12)
    # What is left out has a recall that a point with more precision has too.
    for p, r in theirs.values():
        assert r == 0 or any(
            point.hits / scores.support == pytest.approx(r)
            and point.hits / point.called >= p - 1e-12
            for point in curve
        )


@unhurried
@given(
    predictions(),
    st.sampled_from(["recall", "precision"]),
    st.sampled_from([0.05, 0.3, 0.5, 0.7, 0.9, 1.0]),
    st.booleans(),
)
def test_no_other_threshold_that_reaches_it_is_better(
    case: tuple[NDArray[np.float64], list[int]], metric: str, value: float, proven: bool
) -> None:
    """Against every threshold there is."""
    probabilities, targets = case
    scores = seen(probabilities, list(targets), 1)
    wanted = Wanted(metric=metric, value=value, proven=proven)
    best: tuple[float, float] | None = None
    for threshold in np.unique(scores.score):
        called = scores.score >= threshold
        hits, n = int((called & scores.positive).sum()), int(called.sum())
        of = scores.support if metric == "recall" else n
        if of == 0:
            continue
        reached = wilson(hits, of)[0] if proven else hits / of
        other = (hits / n, hits) if metric == "recall" else (hits, hits / n)
        if hits and reached >= value and (best is None or other > best):
            best = other
    chosen = choose(list(scores.curve()), scores.support, wanted)
    if chosen is None:
        assert best is None
    else:
        other = chosen.hits / chosen.called, chosen.hits
        assert (other if metric == "recall" else other[::-1]) == best


@unhurried
@given(predictions(), st.floats(0, 1))
def test_what_a_threshold_costs_is_what_the_rule_does(
    case: tuple[NDArray[np.float64], list[int]], threshold: float
) -> None:
    probabilities, targets = case
    truth = np.array(targets)
    found = seen(probabilities, list(targets), 1).at(threshold)
    with_it = np.array(decided(probabilities, 1, threshold))
    without = probabilities.astype(np.float32).argmax(axis=1)
    assert found.top1.value == accuracy_score(truth, with_it)
    assert found.own_top1.value == accuracy_score(truth, without)
    assert found.fixed == ((with_it == truth) & (without != truth)).sum()
    assert found.broken == ((with_it != truth) & (without == truth)).sum()
    assert found.precision.n == (with_it == 1).sum()
    assert found.false_alarms == ((with_it == 1) & (truth != 1)).sum()
    assert found.new_false_alarms == ((with_it == 1) & (truth != 1) & (without != 1)).sum()
    for ours, theirs in ((found.recall, with_it), (found.own_recall, without)):
        if (truth == 1).any():
            assert ours.value == recall_score(truth == 1, theirs == 1)
        else:
            assert (ours.n, ours.value) == (0, None)
    for ours, theirs in ((found.precision, with_it), (found.own_precision, without)):
        if (theirs == 1).any():
            assert ours.value == precision_score(truth == 1, theirs == 1)
        else:
            assert ours.value is None


def test_samples_without_target_and_failures_have_no_part() -> None:
    chances = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]], dtype=np.float32)
    said = Scored(["a", "b", "c"], [1, None, 1], chances, [None, None, "torn"], "probabilities")
    scores = score_rows(said)
    assert scores is not None
    found = ClassScores.of(prediction_rows(said), scores, 1)
    assert found.score.tolist() == pytest.approx([0.1])
    nobody = ClassScores.of(prediction_rows(said).slice(1), scores.slice(1), 1)
    assert (len(nobody.score), nobody.support) == (0, 0)
    assert list(nobody.curve()) == []
    assert nobody.at(0.5).top1.value is None
    assert len(ClassScores.joined([found, nobody, found]).score) == 2


def test_a_dataset_of_one_class_has_no_other_to_call() -> None:
    found = seen(np.ones((3, 1)), [0, 0, 0], 0).at(0.5)
    assert (found.recall.value, found.precision.value, found.top1.value) == (1, 1, 1)


def test_equal_probabilities_are_one_threshold() -> None:
    scores = seen(np.full((4, 2), 0.5), [1, 0, 1, 0], 1)
    assert list(scores.curve()) == [CurvePoint(threshold=0.5, hits=2, called=4)]


def test_probabilities_kept_as_float16_are_read() -> None:
    chances = np.full((2, 200), 0.001, dtype=np.float32)
    chances[:, 7] = 1 - 0.199
    found = seen(chances, [7, 3], 7)
    assert found.score.tolist() == pytest.approx([0.801, 0.801], abs=1e-3)
    assert found.rounded
    assert not seen(np.full((4, 2), 0.5), [1, 0, 1, 0], 1).rounded
