from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tasks.metrics.slices import SliceTallies, slice_metrics
from tasks.metrics.slicing import Slicing
from tests.tasks.metrics.made_by_hand import favouring, rows_of, unhurried

CLASSES = 7
KS = (1, 3, 5)


def slicings_of(codes: np.ndarray, min_size: int = 1) -> tuple[Slicing, ...]:
    groups = np.zeros((2, CLASSES), dtype=bool)
    groups[0, :3] = groups[1, 2:] = True
    none = np.zeros(0, dtype=np.int32)
    return (
        Slicing("light", min_size, ("day", "dusk", "night"), codes.astype(np.int32)),
        Slicing("class_group", min_size, ("low", "high"), none, groups),
    )


def facts(tallies: SliceTallies) -> list[list[list[int]]]:
    return [counts.tolist() for counts in tallies.counts]


@st.composite
def cases(draw: st.DrawFn) -> tuple[pa.Table, np.ndarray]:
    n = draw(st.integers(0, 30))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scores = generator.dirichlet(np.ones(CLASSES), n)
    targets = draw(st.lists(st.none() | st.integers(0, CLASSES - 1), min_size=n, max_size=n))
    errors = draw(st.lists(st.sampled_from([None, None, "torn"]), min_size=n, max_size=n))
    return rows_of(scores, targets, errors=errors), generator.integers(0, 3, n)


@unhurried
@given(cases())
def test_counts_are_those_of_a_loop(case: tuple[pa.Table, np.ndarray]) -> None:
    rows, codes = case
    found = SliceTallies.of(rows, 0, slicings_of(codes), KS)
    expected = [np.zeros((3, 6), dtype=int), np.zeros((2, 6), dtype=int)]
    for row, code in zip(rows.to_pylist(), codes.tolist(), strict=True):
        target, rank = row["target"], row["target_rank"]
        if target is None:
            continue
        counted = [rank is not None, rank is None, False]
        counted += [rank is not None and rank < k for k in KS]
        expected[0][code] += counted
        expected[1][0] += np.array(counted) * (target < 3)
        expected[1][1] += np.array(counted) * (target >= 2)
    assert facts(found) == [part.tolist() for part in expected]


@unhurried
@given(cases(), st.lists(st.integers(0, 30), max_size=3), st.randoms(use_true_random=False))
def test_shards_merge_in_any_order(
    case: tuple[pa.Table, np.ndarray], cuts: list[int], random
) -> None:
    rows, codes = case
    slicings = slicings_of(codes)
    edges = [0, *sorted(min(cut, rows.num_rows) for cut in cuts), rows.num_rows]
    parts = [
        SliceTallies.of(rows.slice(low, high - low), low, slicings, KS)
        for low, high in pairwise(edges)
    ]
    random.shuffle(parts)
    whole = SliceTallies.empty(slicings, KS)
    for part in parts:
        whole = whole + part
    assert facts(whole) == facts(SliceTallies.of(rows, 0, slicings, KS))


def test_slices_have_wilsons_interval() -> None:
    rows = rows_of(favouring([0] * 50, CLASSES), [0] * 6 + [1] * 44)
    slicings = slicings_of(np.zeros(50))[:1]
    found = slice_metrics(slicings, SliceTallies.of(rows, 0, slicings, (1,)))
    day = found[0]
    expected = stats.binomtest(6, 50).proportion_ci(method="wilson")
    assert (day.name, day.scope, day.slice) == ("top1", "slice", "light=day")
    assert (day.value, day.n, day.hits) == (0.12, 50, 6)
    assert (day.low, day.high) == pytest.approx((expected.low, expected.high))


def test_small_slices_are_named_with_their_n_and_no_figure() -> None:
    codes = np.array([0] * 30 + [1] * 29)
    rows = rows_of(favouring([0] * 59, CLASSES), [0] * 59)
    slicings = slicings_of(codes, min_size=30)[:1]
    found = slice_metrics(slicings, SliceTallies.of(rows, 0, slicings, (1,)))
    assert [(m.slice, m.state, m.n) for m in found] == [
        ("light=day", "defined", 30),
        ("light=dusk", "too_small", 29),
        ("light=night", "too_small", 0),
    ]


def test_failed_samples_cannot_hide_in_a_slice() -> None:
    rows = rows_of(
        favouring([0] * 4, CLASSES), [0, 0, 0, None], errors=[None, "torn", None, "torn"]
    )
    slicings = slicings_of(np.zeros(4))[:1]
    found = {
        m.name: m
        for m in slice_metrics(slicings, SliceTallies.of(rows, 0, slicings, (1,)))
        if m.slice == "light=day"
    }
    assert (found["top1"].hits, found["top1"].n) == (2, 2)
    wrong, right = found["top1_failed_as_wrong"], found["top1_failed_as_right"]
    assert (wrong.value, right.value, wrong.slice) == (2 / 3, 1, "light=day")


def test_ranks_that_are_not_known_leave_the_first_five_exact() -> None:
    rows = rows_of(favouring([0] * 3, CLASSES), [0, 1, 2])
    ranks = pa.array([0, 1, None], pa.int32())
    changed = rows.set_column(6, rows.schema.field("target_rank"), ranks)
    slicings = slicings_of(np.zeros(3))[:1]
    found = slice_metrics(slicings, SliceTallies.of(changed, 0, slicings, (1, 5, 6)))
    day = {m.name: m for m in found if m.slice == "light=day"}
    assert (day["top5"].hits, day["top5"].n) == (2, 3)
    assert (day["top6"].state, day["top6"].n) == ("needs_scores", 3)
