"""Two evaluations compared, against scikit-learn, scipy and statsmodels on the same arrays."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import accuracy_score, confusion_matrix, recall_score
from statsmodels.stats.contingency_tables import mcnemar as oracle_mcnemar
from statsmodels.stats.multitest import multipletests

from shards.sample import ClassList
from tasks.metrics.aligned import CHANGED, MatchedBy, align
from tasks.metrics.compare import Measured, compare
from tasks.metrics.comparison import LISTED_SAMPLES, Comparison, Side, comparison_id
from tasks.predictions.schema import Scored, prediction_rows
from tasks.records import Pair
from tests.support.stored import logits
from tests.tasks.metrics.made_by_hand import unhurried

CLASSES = 5
Targets = Sequence[int | None]


def measured(
    name: str,
    scores: np.ndarray,
    targets: Targets,
    keys: Sequence[str] | None = None,
    errors: Sequence[str | None] | None = None,
) -> Measured:
    side = Side(
        pair=Pair(dataset="d", split="s", model=name),
        evaluation=f"e{name}",
        scoring=f"s{name}",
        model_fingerprint=name,
        dataset_version="v",
    )
    keys = keys or [f"{row:04d}" for row in range(len(targets))]
    errors = errors or [None] * len(targets)
    return Measured(side, prediction_rows(Scored(keys, targets, scores, errors, "logits")))


def compared(
    baseline: Measured, candidate: Measured, matched_by: MatchedBy = "images"
) -> tuple[Comparison, pa.Table]:
    names = tuple(f"c{index}" for index in range(CLASSES))
    rows = align(baseline.rows, candidate.rows)
    return compare(baseline, candidate, rows, ClassList.of_names(names), matched_by)


def two(n: int = 400, seed: int = 3) -> tuple[Measured, Measured, np.ndarray]:
    targets = np.random.default_rng(seed).integers(0, CLASSES, n)
    first = logits(targets, CLASSES, skill=1.2, seed=seed)
    second = first + 0.7 * logits(targets, CLASSES, skill=0.4, seed=seed + 1)
    kept = targets.tolist()
    return measured("old", first, kept), measured("new", second, kept), targets


def predicted(side: Measured) -> np.ndarray:
    return np.array([best[0] for best in side.rows["topk"].to_pylist()])


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


def certain(said: Sequence[int], height: Sequence[float]) -> np.ndarray:
    """Logits that say a class each; the higher, the surer."""
    scores = np.zeros((len(said), CLASSES), dtype=np.float32)
    scores[np.arange(len(said)), list(said)] = height
    return scores


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


def test_nothing_in_common_is_said_and_is_no_zero() -> None:
    nothing = measured("old", certain([0], [1]), [None])
    found, changed = compared(nothing, measured("new", certain([0], [1]), [None]))
    assert (found.n, found.p, found.chi_squared) == (0, None, None)
    assert {change.state for change in found.overall} == {"no_samples"}
    assert found.per_class == ()
    assert changed.num_rows == 0
    apart = compared(nothing, measured("new", certain([0], [1]), [0], keys=["other"]), "key")[0]
    assert (apart.common, apart.only_baseline, apart.only_candidate) == (0, 1, 1)
    assert apart.churn.state == "no_samples"


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


def test_a_corrected_label_counts_for_both_sides() -> None:
    scores = certain([0, 1, 2], [3, 3, 3])
    old = measured("old", scores, [0, 1, 1])
    new = measured("new", scores, [0, 1, 2])
    found, _ = compared(old, new)
    assert (found.retargeted, found.both_right, found.fixed) == (1, 3, 0)
    nll = found.change("nll")
    assert nll is not None
    assert nll.n == 2


def test_other_images_are_compared_as_two_sets_and_say_which_are_common() -> None:
    old = measured("old", certain([0, 0, 1, 1], [3] * 4), [0, 0, 0, 0], keys=list("abcd"))
    new = measured("new", certain([0, 0, 0], [3] * 3), [0, 0, 0], keys=list("dcx"))
    found, _ = compared(old, new, "key")
    assert (found.paired, found.common, found.only_baseline, found.only_candidate) == (
        *(False, 2, 2, 1),
    )
    top1, nll = found.change("top1"), found.change("nll")
    assert top1 is not None
    assert nll is not None
    assert (top1.method, top1.baseline, top1.candidate, top1.n) == ("newcombe", 0.5, 1.0, 3)
    assert nll.state == "unpaired"
    assert (found.fixed, found.n) == (2, 2)


def test_a_key_whose_image_changed_is_not_common() -> None:
    old = measured("old", certain([0, 0], [3, 3]), [0, 0], keys=["a", "b"])
    new = measured("new", certain([0, 0], [3, 3]), [0, 0], keys=["b", "a"])
    digests = (
        pa.table({"key": ["a", "b"], "sha256": ["1", "2"]}),
        pa.table({"key": ["a", "b"], "sha256": ["1", "3"]}),
    )
    rows = align(old.rows, new.rows, digests)
    assert rows.candidate["key"].to_pylist() == rows.baseline["key"].to_pylist() == ["a"]
    assert (rows.only_baseline, rows.only_candidate) == (1, 1)


def test_another_order_pairs_the_same_samples() -> None:
    old, new, _ = two(60)
    order = np.random.default_rng(1).permutation(60)
    shuffled = Measured(new.side, new.rows.take(pa.array(order)))
    there, other = compared(old, new)[0], compared(old, shuffled)[0]
    for name in ("both_right", "fixed", "broken", "both_wrong", "p", "churn", "per_class"):
        assert getattr(there, name) == getattr(other, name)
    assert there.fixed_samples == other.fixed_samples


def test_a_comparison_has_the_id_of_what_it_compares() -> None:
    old, new, _ = two(10)
    assert comparison_id(old.side, new.side) == compared(old, new)[0].id
    assert comparison_id(new.side, old.side) != comparison_id(old.side, new.side)
