"""Two evaluations compared, against scikit-learn, scipy and statsmodels on the same arrays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import accuracy_score, confusion_matrix, recall_score
from statsmodels.stats.contingency_tables import mcnemar as oracle_mcnemar
from statsmodels.stats.multitest import multipletests

from shards.sample import ClassList
from tasks.metrics.aligned import CHANGED, align
from tasks.metrics.compare import compare
from tasks.metrics.comparison import LISTED_SAMPLES, Comparison, comparison_id
from tests.support.stored import logits
from tests.tasks.metrics.compared_pairs import (
    CLASSES,
    Targets,
    certain,
    compared,
    measured,
    predicted,
    two,
)
from tests.tasks.metrics.made_by_hand import unhurried


def test_every_figure_agrees_with_other_libraries() -> None:
    old, new, targets = two()
    found, changed = compared(old, new)
    before, after = predicted(old), predicted(new)
    table = confusion_matrix(before == targets, after == targets)
    assert [[found.both_wrong, found.fixed], [found.broken, found.both_right]] == table.tolist()
    oracle = oracle_mcnemar(table, exact=True)
    assert found.p == pytest.approx(oracle.pvalue, rel=1e-9)
    change = found.change("top1")
    assert change is not None
    gain = accuracy_score(targets, after) - accuracy_score(targets, before)
    assert change.difference == pytest.approx(gain, abs=1e-12)
    assert (found.churn.hits, found.churn.n) == (int((before != after).sum()), 400)
    recalls = [recall_score(targets, said, average=None) for said in (before, after)]
    assert [c.difference for c in found.per_class] == pytest.approx(recalls[1] - recalls[0])
    exact = [
        oracle_mcnemar(
            confusion_matrix((before == targets)[targets == c], (after == targets)[targets == c])
        ).pvalue
        for c in range(CLASSES)
    ]
    assert [c.p for c in found.per_class] == pytest.approx(exact)
    adjusted = multipletests(exact, method="fdr_bh")[1]
    assert [c.q for c in found.per_class] == pytest.approx(adjusted)
    assert changed.schema == CHANGED
    assert changed.num_rows == found.fixed + found.broken


@pytest.mark.parametrize("loss", ["nll", "brier"])
def test_losses_have_the_paired_interval_of_student(loss: str) -> None:
    old, new, _ = two()
    found = compared(old, new)[0].change(loss)
    values = []
    for side in (old, new):
        rows = side.rows.to_pandas()
        brier = rows["sum_sq_prob"].astype(float) - 2 * rows["target_prob"].astype(float) + 1
        values.append(rows["nll"].astype(float) if loss == "nll" else brier)
    oracle = stats.ttest_rel(values[1], values[0]).confidence_interval()
    assert found is not None
    assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high), abs=1e-9)
    assert found.difference == pytest.approx(values[1].mean() - values[0].mean(), abs=1e-9)
    assert found.method == "student"


def test_top5_counts_the_first_five() -> None:
    generator = np.random.default_rng(0)
    targets = generator.integers(0, 8, 60)
    sides = [
        measured(name, logits(targets, 8, skill=0.3, seed=seed), targets.tolist())
        for name, seed in (("old", 1), ("new", 2))
    ]
    rows = align(sides[0].rows, sides[1].rows)
    found, _ = compare(*sides, rows, ClassList.of_names(tuple("abcdefgh")), "images")
    change = found.change("top5")
    ranks = [side.rows["target_rank"].to_numpy() for side in sides]
    assert change is not None
    assert change.fixed == int(((ranks[1] < 5) & (ranks[0] >= 5)).sum()) > 0
    assert change.broken == int(((ranks[0] < 5) & (ranks[1] >= 5)).sum()) > 0


@unhurried
@given(
    n=st.integers(1, 40),
    seed=st.integers(0, 2**16),
    unlabelled=st.sets(st.integers(0, 39)),
    failed=st.tuples(st.sets(st.integers(0, 39)), st.sets(st.integers(0, 39))),
)
def test_swapping_the_sides_swaps_the_signs_and_nothing_else(
    n: int, seed: int, unlabelled: set[int], failed: tuple[set[int], set[int]]
) -> None:
    generator = np.random.default_rng(seed)
    targets = generator.integers(0, CLASSES, n)
    kept = [None if row in unlabelled else int(t) for row, t in enumerate(targets)]
    old, new = (
        measured(
            name,
            logits(targets, CLASSES, skill=1, seed=seed + shift),
            kept,
            errors=["truncated" if row in bad else None for row in range(n)],
        )
        for name, shift, bad in (("old", 1, failed[0]), ("new", 2, failed[1]))
    )
    there, back = compared(old, new)[0], compared(new, old)[0]
    assert (there.fixed, there.broken) == (back.broken, back.fixed)
    assert (there.both_right, there.both_wrong) == (back.both_right, back.both_wrong)
    assert (there.p, there.chi_squared, there.churn) == (back.p, back.chi_squared, back.churn)
    assert there.fixed_samples == back.broken_samples
    assert there.broken_samples == back.fixed_samples
    assert (there.failed_baseline, there.unlabelled) == (back.failed_candidate, back.unlabelled)
    for ours, theirs in zip(
        (*there.overall, *there.per_class), (*back.overall, *back.per_class), strict=True
    ):
        assert (ours.metric, ours.state, ours.n, ours.p, ours.q) == (
            *(theirs.metric, theirs.state, theirs.n, theirs.p, theirs.q),
        )
        assert (ours.baseline, ours.candidate) == (theirs.candidate, theirs.baseline)
        if ours.difference is not None and theirs.difference is not None:
            assert ours.difference == pytest.approx(-theirs.difference, abs=1e-15)
        if ours.low is not None:
            assert (ours.low, ours.high) == (-(theirs.high or 0.0), -(theirs.low or 0.0))


def test_the_surest_mistakes_come_first_and_ties_by_key() -> None:
    targets = [0, 0, 0, 0]
    old = measured("old", certain([0, 0, 0, 1], [9, 9, 9, 2]), targets)
    new = measured("new", certain([1, 2, 2, 0], [3, 5, 3, 9]), targets)
    found, changed = compared(old, new)
    assert [(s.key, s.target, s.said) for s in found.broken_samples] == [
        ("0001", 0, 2),
        ("0000", 0, 1),
        ("0002", 0, 2),
    ]
    assert [(s.key, s.said) for s in found.fixed_samples] == [("0003", 1)]
    assert changed["key"].to_pylist() == ["0001", "0000", "0002", "0003"]
    assert changed["change"].to_pylist() == ["broken"] * 3 + ["fixed"]


def test_the_record_is_bounded_and_the_table_is_not() -> None:
    n = LISTED_SAMPLES + 20
    old = measured("old", certain([0] * n, [3] * n), [0] * n)
    new = measured("new", certain([1] * n, [3] * n), [0] * n)
    found, changed = compared(old, new)
    assert (found.broken, len(found.broken_samples)) == (n, LISTED_SAMPLES)
    assert changed.num_rows == n
    assert Comparison.from_json(found.to_json(), "x") == found


def test_unlabelled_and_failed_rows_are_counted_and_left_out() -> None:
    targets: Targets = [0, 0, None, 1, 1]
    old = measured("old", certain([0] * 5, [3] * 5), targets, errors=[None, "x", None, None, None])
    new = measured(
        "new", certain([0, 0, 1, 1, 1], [3] * 5), targets, errors=[None, "x", None, None, "x"]
    )
    found, _ = compared(old, new)
    assert (found.common, found.n, found.unlabelled) == (5, 2, 1)
    assert (found.failed_baseline, found.failed_candidate) == (1, 2)
    assert (found.both_right, found.fixed, found.broken) == (1, 1, 0)
    # What has no label was still predicted, and may have changed.
    assert (found.churn.hits, found.churn.n) == (2, 3)
    assert [change.class_index for change in found.per_class] == [0, 1]


def test_one_image_has_shares_and_no_interval_for_a_loss() -> None:
    old = measured("old", certain([1], [3]), [0])
    found, _ = compared(old, measured("new", certain([0], [3]), [0]))
    top1, nll = found.change("top1"), found.change("nll")
    assert top1 is not None
    assert nll is not None
    assert (top1.difference, top1.p) == (1.0, 1.0)
    assert nll.difference is not None
    assert (nll.low, nll.high, nll.method) == (None, None, "none")


def test_a_probability_of_zero_leaves_the_loss_without_a_difference() -> None:
    scores = np.full((2, CLASSES), -np.inf, dtype=np.float32)
    scores[:, 1] = 0
    found, _ = compared(
        measured("old", scores, [0, 1]), measured("new", certain([0, 1], [3, 3]), [0, 1])
    )
    nll, brier = found.change("nll"), found.change("brier")
    assert nll is not None
    assert brier is not None
    assert (nll.state, nll.difference, nll.n) == ("infinite", None, 2)
    assert brier.state == "defined"


def test_an_evaluation_with_itself_differs_in_nothing() -> None:
    old, _, _ = two(50)
    found, _ = compared(old, old)
    assert found.is_identity
    assert {(c.low, c.high, c.method) for c in found.overall} == {(0.0, 0.0, "identity")}
    assert found.churn.hits == 0


def test_a_comparison_has_the_id_of_what_it_compares() -> None:
    old, new, _ = two(10)
    assert comparison_id(old.side, new.side) == compared(old, new)[0].id
    assert comparison_id(new.side, old.side) != comparison_id(old.side, new.side)
