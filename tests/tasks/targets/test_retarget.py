from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, log_loss, top_k_accuracy_score

from shards.errors import ShardError
from tasks.metrics.tallies import Tallies
from tasks.predictions.schema import OUTPUTS, SCHEMA, Scored, prediction_rows, score_rows
from tasks.targets.overlay import OverlayCounts, TargetOverlay
from tasks.targets.retarget import retarget
from tests.tasks.metrics.made_by_hand import unhurried

CLASSES = 8


def scored(
    scores: NDArray[np.floating],
    targets: Sequence[int | None],
    errors: Sequence[str | None] | None = None,
) -> Scored:
    n = len(targets)
    return Scored(
        [f"k{row}" for row in range(n)],
        targets,
        scores.astype(np.float32),
        list(errors) if errors is not None else [None] * n,
        "logits",
    )


def overlay_of(kind: str, labels: dict[int, list[int]]) -> TargetOverlay:
    return TargetOverlay.of({f"k{row}": indices for row, indices in labels.items()}, kind)


def never() -> None:
    raise AssertionError("the scores are not needed")


def nothing() -> None:
    return None


OWN_LABEL_SIXTH = scored(np.array([[7, 6, 2, 5, 1, 0, 4, 3]]), [4])
"""Class 2 is ranked before class 4, both beyond the first five."""


@st.composite
def cases(draw: st.DrawFn) -> tuple[Scored, dict[int, list[int]]]:
    """Logits with ties, failures and samples without a target; and labels for some samples."""
    n = draw(st.integers(1, 12))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scores = generator.integers(-3, 4, (n, CLASSES)) / 2
    targets = draw(st.lists(st.none() | st.integers(0, CLASSES - 1), min_size=n, max_size=n))
    errors = draw(st.lists(st.sampled_from([None, None, None, "torn"]), min_size=n, max_size=n))
    label = st.lists(st.integers(0, CLASSES - 1), max_size=3, unique=True)
    labels = draw(st.dictionaries(st.integers(0, n - 1), label, max_size=n))
    return scored(scores, targets, errors), labels


def best_of(scored: Scored, row: int, labels: Sequence[int]) -> int:
    """The acceptable label that a plain sort of the scores puts first."""
    order = sorted(range(CLASSES), key=lambda index: (-scored.scores[row, index], index))
    return min(labels, key=order.index)


@unhurried
@given(cases())
def test_with_scores_the_rows_are_those_that_inference_would_have_written(
    case: tuple[Scored, dict[int, list[int]]],
) -> None:
    said, labels = case
    found = retarget(
        prediction_rows(said), overlay_of("acceptable", labels), lambda: score_rows(said)
    )
    targets = list(said.targets)
    for row, accepted in labels.items():
        targets[row] = best_of(said, row, accepted) if accepted else None
    wanted = prediction_rows(Scored(said.keys, targets, said.scores, said.errors, said.output))
    good = [error is None for error in said.errors]
    for name in ("target", "topk", "topk_prob", "target_rank", "sum_sq_prob", "error"):
        ours, theirs = found.rows[name].to_pylist(), wanted[name].to_pylist()
        # Of a sample that failed nothing is known: any acceptable label may be its target.
        assert [v for v, g in zip(ours, good, strict=True) if g] == [
            v for v, g in zip(theirs, good, strict=True) if g
        ], name
    for name in ("target_prob", "nll"):
        ours, theirs = (t[name].to_numpy() for t in (found.rows, wanted))
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)
    assert found.rows.schema.equals(SCHEMA)
    assert found.rows.schema.metadata[OUTPUTS] == b"8"
    assert found.counts.unscored == found.counts.rounded == 0
    assert found.counts.named == len(labels)
    assert found.counts.left_out == sum(not accepted for accepted in labels.values())
    assert found.counts.changed == sum(
        bool(accepted) and said.targets[row] not in accepted for row, accepted in labels.items()
    )


@unhurried
@given(cases())
@example((OWN_LABEL_SIXTH, {0: [4, 2]}))
def test_without_scores_the_first_five_stay_exact_and_the_rest_is_null(
    case: tuple[Scored, dict[int, list[int]]],
) -> None:
    said, labels = case
    overlay = overlay_of("acceptable", labels)
    whole = retarget(prediction_rows(said), overlay, lambda: score_rows(said)).rows
    before = prediction_rows(said)
    part = retarget(before, overlay, nothing)
    unknown = 0
    tables = (part.rows.to_pylist(), whole.to_pylist(), before.to_pylist())
    for row, (ours, theirs, own) in enumerate(zip(*tables, strict=True)):
        if ours["error"] is not None or theirs["target"] is None:
            assert ours["target_rank"] is None
        elif theirs["target_rank"] < 5:
            assert (ours["target"], ours["target_rank"]) == (
                theirs["target"],
                theirs["target_rank"],
            )
            assert ours["nll"] == pytest.approx(theirs["nll"], abs=1e-6)
        elif ours["target"] == own["target"]:
            # Another acceptable label may rank before it, which only scores would tell.
            assert ours == own
            assert ours["target_rank"] >= theirs["target_rank"]
        else:
            assert (ours["target_rank"], ours["target_prob"], ours["nll"]) == (None,) * 3
            assert ours["target"] in labels[row]
            unknown += 1
    assert part.counts.unscored == unknown
    few, all_of_them = Tallies.of(part.rows, CLASSES), Tallies.of(whole, CLASSES)
    assert few.ranks[:5].tolist() == all_of_them.ranks[:5].tolist()
    assert (few.n, few.unlabelled, few.failed) == (
        all_of_them.n,
        all_of_them.unlabelled,
        all_of_them.failed,
    )
    assert few.unscored == unknown


@unhurried
@given(cases())
def test_acceptable_labels_give_the_accuracy_that_real_publishes(
    case: tuple[Scored, dict[int, list[int]]],
) -> None:
    """Beyer et al. (2020): the mean over images with labels of [the first prediction is one]."""
    said, labels = case
    accepted = {row: labels.get(row, [target]) for row, target in enumerate(said.targets)}
    predicted = np.argmax(said.scores, axis=1)
    right = [
        predicted[row] in accepted[row]
        for row in range(len(said.keys))
        if accepted[row] not in ([], [None]) and said.errors[row] is None
    ]
    rows = retarget(prediction_rows(said), overlay_of("acceptable", labels), nothing).rows
    tallies = Tallies.of(rows, CLASSES)
    assert (tallies.top(1), tallies.n) == (sum(right), len(right))


def test_corrected_labels_give_the_figures_of_scikit_learn() -> None:
    generator = np.random.default_rng(7)
    old = generator.integers(0, CLASSES, 400)
    new = np.where(generator.random(400) < 0.2, generator.integers(0, CLASSES, 400), old)
    said = scored(generator.normal(size=(400, CLASSES)) + 2 * np.eye(CLASSES)[old], old.tolist())
    changed = {int(row): [int(new[row])] for row in np.flatnonzero(new != old)}
    found = retarget(
        prediction_rows(said), overlay_of("corrected", changed), lambda: score_rows(said)
    )
    tallies = Tallies.of(found.rows, CLASSES)
    exact = said.scores.astype(np.float64)
    probs = np.exp(exact) / np.exp(exact).sum(axis=1, keepdims=True)
    every = list(range(CLASSES))
    assert tallies.top(1) / 400 == accuracy_score(new, probs.argmax(axis=1))
    assert tallies.top(5) / 400 == top_k_accuracy_score(new, probs, k=5, labels=every)
    nll = tallies.nll.total / 2**32 / 400
    assert nll == pytest.approx(log_loss(new, probs, labels=every), abs=1e-6)
    brier = ((probs - np.eye(CLASSES)[new]) ** 2).sum(axis=1).mean()
    assert tallies.brier.total / 2**32 / 400 == pytest.approx(brier, abs=1e-6)
    assert found.counts == OverlayCounts(named=len(changed), changed=len(changed))


def test_scores_are_read_only_where_the_first_five_do_not_tell() -> None:
    said = scored(np.arange(CLASSES)[None, :].repeat(2, axis=0), [7, 0])
    rows = retarget(prediction_rows(said), overlay_of("corrected", {0: [3]}), never).rows
    assert rows["target_rank"].to_pylist() == [4, 7]
    assert retarget(prediction_rows(said), overlay_of("corrected", {}), never).rows == (
        prediction_rows(said)
    )
    assert retarget(prediction_rows(said), None, never).counts == OverlayCounts()


def test_scores_kept_as_float16_are_marked_and_never_make_a_loss_infinite() -> None:
    classes = 200
    logits = np.zeros((2, classes))
    logits[:, :5], logits[0, 100], logits[1, 100] = 30, 25, -30
    said = scored(logits, [0, 0])
    found = retarget(
        prediction_rows(said),
        overlay_of("corrected", {0: [100], 1: [100]}),
        lambda: score_rows(said),
    )
    assert found.rows["target_rank"].to_pylist() == [5, None]
    assert (found.counts.rounded, found.counts.unscored) == (1, 1)
    assert found.rows["nll"][0].as_py() == pytest.approx(np.log(5) + 5, abs=0.01)
    assert found.rows["nll"][1].as_py() is None


def test_a_rounded_probability_does_not_lift_a_label_into_the_first_five() -> None:
    classes = 200
    logits = np.zeros((1, classes))
    # Class 0 is sixth by so little that it ties with classes 1 to 5 as float16.
    logits[0, 1:6], logits[0, 0] = 1, 1 - 1e-6
    said = scored(logits, [1])
    rows = retarget(
        prediction_rows(said), overlay_of("corrected", {0: [0]}), lambda: score_rows(said)
    ).rows
    assert rows["target_rank"].to_pylist() == [5]


def test_scores_of_other_samples_are_refused() -> None:
    said = scored(np.arange(CLASSES)[None, :], [7])
    foreign = pa.table({"key": ["x"], "probabilities": [[0.1] * CLASSES]})
    with pytest.raises(ShardError, match=r"predictions of k0 .* other samples"):
        retarget(prediction_rows(said), overlay_of("corrected", {0: [0]}), lambda: foreign)


def test_a_shard_of_failures_takes_the_new_labels_too() -> None:
    said = scored(np.zeros((2, CLASSES)), [1, None], ["torn", "torn"])
    found = retarget(prediction_rows(said), overlay_of("acceptable", {0: [3, 1], 1: [4]}), never)
    assert found.rows["target"].to_pylist() == [1, 4]
    assert found.rows["target_rank"].null_count == 2
    assert (found.counts.changed, found.counts.unscored) == (1, 0)
