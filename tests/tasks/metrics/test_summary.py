import dataclasses

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_fscore_support, top_k_accuracy_score

from tasks.metrics.agreement import AGREEMENTS
from tasks.metrics.confusion import AVERAGES
from tasks.metrics.intervals import wilson
from tasks.metrics.reliability import CALIBRATION_NAMES
from tasks.metrics.summary import (
    CLASS_NAMES,
    COUNTED_CLASS_NAMES,
    MICRO,
    OVERALL_NAMES,
    class_metrics,
    is_overall,
    overall_metrics,
)
from tasks.metrics.tallies import Tallies
from tests.tasks.metrics.made_by_hand import favouring, rows_of, tallies_of, unhurried
from tests.tasks.metrics.summarised import of_classes, overall

square = st.integers(2, 5).flatmap(
    lambda classes: st.lists(
        st.lists(st.integers(0, 6), min_size=classes, max_size=classes),
        min_size=classes,
        max_size=classes,
    )
)


@unhurried
@given(square)
def test_every_interval_contains_its_point_and_lies_in_0_and_1(counts: list[list[int]]) -> None:
    tallies = tallies_of(np.array(counts))
    for metric in (*overall_metrics(tallies), *class_metrics(tallies)):
        if metric.name in {"nll", "brier"}:
            continue
        least = -1 if metric.name in AGREEMENTS else 0
        if metric.n == 1 and metric.name in CALIBRATION_NAMES:
            assert (metric.low, metric.high) == (None, None)
        elif metric.value is None:
            assert metric.low is None
            assert metric.high is None
            assert metric.state != "defined"
        else:
            assert metric.low is not None
            assert metric.high is not None
            assert least <= metric.low <= metric.value + 1e-15, metric
            assert metric.value - 1e-15 <= metric.high <= 1, metric


@unhurried
@given(square)
def test_figures_of_classes_are_those_of_scikit_learn(counts: list[list[int]]) -> None:
    matrix = np.array(counts)
    classes = len(matrix)
    targets, predicted = (
        np.repeat(part, matrix.ravel()) for part in np.indices(matrix.shape).reshape(2, -1)
    )
    found = of_classes(tallies_of(matrix))
    if not len(targets):
        assert {metric.state for metric in found.values()} == {"absent_class"}
        return
    expected = precision_recall_fscore_support(
        targets, predicted, labels=range(classes), zero_division=0
    )
    for index in range(classes):
        for name, values in zip(COUNTED_CLASS_NAMES, expected[:3], strict=True):
            metric = found[index, name]
            if matrix[index].sum() == 0:
                assert metric.state == "absent_class"
            elif name == "precision" and matrix[:, index].sum() == 0:
                assert metric.state == "never_predicted"
            else:
                assert metric.value == pytest.approx(values[index], abs=1e-9)


def test_the_names_and_their_order_are_kept() -> None:
    tallies = tallies_of(np.array([[3, 1], [0, 4]]))
    assert tuple(m.name for m in overall_metrics(tallies)) == OVERALL_NAMES
    assert [(m.class_index, m.name) for m in class_metrics(tallies)] == [
        (index, name) for index in range(2) for name in CLASS_NAMES
    ]
    assert {m.scope for m in overall_metrics(tallies)} == {"overall"}
    assert {m.scope for m in class_metrics(tallies)} == {"class"}


def test_without_samples_everything_is_undefined() -> None:
    found = overall(Tallies.empty(3))
    assert tuple(found) == OVERALL_NAMES
    assert {(m.state, m.value, m.low, m.high, m.n) for m in found.values()} == {
        ("no_samples", None, None, None, 0)
    }
    assert {m.state for m in class_metrics(Tallies.empty(3))} == {"absent_class"}


def test_one_sample_has_no_interval_for_means() -> None:
    found = overall(Tallies.of(rows_of(favouring([1], 4), [1]), 4))
    for name in ("nll", "brier", *CALIBRATION_NAMES):
        assert found[name].state == "defined"
        assert found[name].value is not None
        assert (found[name].low, found[name].high, found[name].n) == (None, None, 1)
    # One of one is no certainty.
    for name in ("top1", *AVERAGES):
        assert found[name].value == 1
        assert found[name].low == pytest.approx(0.2065, abs=1e-4)


def test_of_one_sample_no_agreement_beyond_chance_can_be_told() -> None:
    found = overall(tallies_of(np.array([[1, 0], [0, 0]])))
    assert {found[name].state for name in AGREEMENTS} == {"one_class"}
    # All of one class, but not all predicted as it: kappa is 0, and Matthews has no scale.
    found = overall(tallies_of(np.array([[3, 1], [0, 0]])))
    assert (found["mcc"].state, found["kappa"].state) == ("one_class", "defined")
    assert found["kappa"].value == 0


def test_all_right_is_no_certain_agreement() -> None:
    found = overall(tallies_of(np.diag([10, 10])))
    low, _ = wilson(20, 20)
    for name in AGREEMENTS:
        # Half of it is chance: an accuracy of a is an agreement of 2a - 1.
        assert (found[name].value, found[name].high) == (1, 1)
        assert found[name].low == pytest.approx(2 * low - 1)


def test_micro_averages_are_the_top1() -> None:
    found = overall(tallies_of(np.array([[8, 2, 0], [0, 9, 1], [2, 0, 7]])))
    top1 = found["top1"]
    for name in MICRO:
        assert found[name] == top1.model_copy(update={"name": name})


def test_top_k_is_given_for_every_k_that_is_asked_for() -> None:
    scores = np.random.default_rng(5).dirichlet(np.ones(12), 200)
    targets = np.random.default_rng(6).integers(0, 12, 200)
    tallies = Tallies.of(rows_of(scores, targets.tolist()), 12)
    found = {m.name: m for m in overall_metrics(tallies, (1, 3, 5, 8, 20))}
    assert [name for name in found if name.startswith("top")] == [
        *("top1", "top3", "top5", "top8", "top20")
    ]
    for k in (1, 3, 5, 8):
        expected = top_k_accuracy_score(targets, scores, k=k, labels=range(12), normalize=False)
        assert found[f"top{k}"].hits == expected
    # Among the first 20 of 12 classes every target is.
    assert found["top20"].value == 1


def test_ranks_beyond_what_is_kept_are_unknown_where_targets_were_changed() -> None:
    rows = rows_of(np.random.default_rng(5).dirichlet(np.ones(12), 4), [0, 1, 2, 3])
    ranks = pa.array([0, None, 2, 3], pa.int32())
    changed = rows.set_column(6, rows.schema.field("target_rank"), ranks)
    found = {m.name: m for m in overall_metrics(Tallies.of(changed, 12), (5, 8, 12))}
    assert found["top5"].hits == 3
    assert (found["top8"].state, found["top8"].n) == ("needs_scores", 4)
    assert found["top12"].value == 1


@pytest.mark.parametrize(
    ("name", "known"), [("top7", True), ("mcc", True), ("top0", False), ("recall", False)]
)
def test_names_of_overall_figures_are_told_from_others(name: str, known: bool) -> None:
    assert is_overall(name) == known


def test_an_absent_class_has_no_figures_and_leaves_the_averages() -> None:
    # Class 2 has no sample; one of class 1 is taken for it.
    found = of_classes(tallies_of(np.array([[8, 2, 0], [0, 9, 1], [0, 0, 0]])))
    assert {found[2, name].state for name in CLASS_NAMES} == {"absent_class"}
    averages = overall(tallies_of(np.array([[8, 2, 0], [0, 9, 1], [0, 0, 0]])))
    assert averages["macro_recall"].value == pytest.approx((0.8 + 0.9) / 2)


def test_a_class_never_predicted_has_no_precision_and_counts_as_0() -> None:
    counts = np.array([[8, 2, 0], [0, 9, 0], [3, 2, 0]])
    found = of_classes(tallies_of(counts))
    assert found[2, "precision"].state == "never_predicted"
    assert (found[2, "recall"].value, found[2, "f1"].value) == (0, 0)
    assert overall(tallies_of(counts))["macro_precision"].value == pytest.approx(
        (8 / 11 + 9 / 13 + 0) / 3
    )


def test_failed_rows_give_the_worst_and_the_best_case() -> None:
    table = rows_of(
        favouring([0, 0, 1, 0], 3), [0, 0, 0, 1], errors=[None, None, None, "torn file"]
    )
    found = overall(Tallies.of(table, 3))
    assert (found["top1"].hits, found["top1"].n) == (2, 3)
    wrong, right = found["top1_failed_as_wrong"], found["top1_failed_as_right"]
    assert (wrong.hits, wrong.n, wrong.value) == (2, 4, 0.5)
    assert (right.hits, right.n, right.value) == (3, 4, 0.75)
    assert {"top5_failed_as_wrong", "top5_failed_as_right"} <= set(found)


def test_if_every_row_failed_only_the_two_cases_are_left() -> None:
    found = overall(Tallies.of(rows_of(favouring([0, 0], 3), [0, 1], errors=["a", "b"]), 3))
    assert found["top1"].state == "no_samples"
    assert found["top1_failed_as_wrong"].value == 0
    assert found["top1_failed_as_right"].value == 1


def test_without_failed_rows_there_is_no_case() -> None:
    found = overall(Tallies.of(rows_of(favouring([0, 0], 3), [0, None]), 3))
    assert tuple(found) == OVERALL_NAMES


def test_a_target_of_probability_0_makes_the_nll_infinite() -> None:
    scores = np.array([[1.0, 0.0, 0.0], [0.25, 0.5, 0.25]])
    found = overall(Tallies.of(rows_of(scores, [1, 1]), 3))
    nll = found["nll"]
    assert (nll.state, nll.value, nll.low, nll.high, nll.n) == ("infinite", None, None, None, 2)
    # Brier's loss has no such point.
    assert found["brier"].value == pytest.approx((2 + 0.375) / 2)


def test_equal_tallies_give_equal_metrics() -> None:
    counts = np.array([[8, 2, 0], [0, 9, 1], [2, 0, 7]])
    assert overall_metrics(tallies_of(counts)) == overall_metrics(tallies_of(counts.copy()))


def test_losses_that_need_scores_say_so_and_shares_stay() -> None:
    whole = tallies_of(np.eye(3, dtype=np.int64))
    figures = overall(dataclasses.replace(whole, unscored=1))
    assert {figures[name].state for name in ("nll", "brier")} == {"needs_scores"}
    assert figures["nll"].n == 3
    assert figures["top1"].value == 1
