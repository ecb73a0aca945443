import io
import json
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, log_loss, top_k_accuracy_score

from tasks.metrics.calibration import FIXED_POINT, Bins
from tasks.metrics.tallies import BATCH_ROWS, TALLIED, Sum, Tallies, ahead, batched, merge, tally
from tasks.metrics.tallies_table import tallies_of_table, tallies_table
from tasks.predictions.columns import first_of
from tasks.predictions.ranking import TOP_K
from tasks.predictions.schema import SCHEMA
from tests.tasks.metrics.made_by_hand import favouring, rows_of, unhurried

CLASSES = 7


def facts(tallies: Tallies) -> tuple:
    """All that tallies hold, comparable."""
    return (
        tallies.confusion.counts.tolist(),
        tallies.ranks.tolist(),
        tallies.nll,
        tallies.brier,
        bins(tallies.calibration.wide),
        bins(tallies.calibration.fine),
        tallies.unlabelled,
        tallies.failed,
        tallies.unscored,
    )


def bins(found: Bins) -> list[list[int]]:
    return [part.tolist() for part in (found.counts, found.hits, found.confidence)]


def parquet(tallies: Tallies) -> bytes:
    sink = io.BytesIO()
    pq.write_table(tallies_table(tallies), sink)
    return sink.getvalue()


@st.composite
def predictions(draw: st.DrawFn) -> pa.Table:
    """Rows with ties, zeros, failures and samples without a target."""
    n = draw(st.integers(0, 25))
    seed = draw(st.integers(0, 2**32 - 1))
    generator = np.random.default_rng(seed)
    weights = generator.integers(0, 5, (n, CLASSES)) + np.eye(CLASSES)[:1]
    scores = weights / weights.sum(axis=1, keepdims=True)
    targets = draw(st.lists(st.none() | st.integers(0, CLASSES - 1), min_size=n, max_size=n))
    errors = draw(st.lists(st.sampled_from([None, None, "torn"]), min_size=n, max_size=n))
    return rows_of(scores, targets, errors=errors)


@st.composite
def tallied(draw: st.DrawFn) -> Tallies:
    return Tallies.of(draw(predictions()), CLASSES)


@unhurried
@given(tallied(), tallied(), tallied())
def test_merging_is_associative_and_any_order_gives_the_same(
    a: Tallies, b: Tallies, c: Tallies
) -> None:
    whole = facts((a + b) + c)
    assert facts(a + (b + c)) == whole
    assert facts(c + a + b) == whole
    assert facts(merge([b, c, a], CLASSES)) == whole
    assert facts(merge([], CLASSES) + a) == facts(a)


@unhurried
@given(predictions(), st.lists(st.integers(0, 25), max_size=4), st.randoms(use_true_random=False))
def test_split_anywhere_and_merged_in_any_order_is_the_whole(
    table: pa.Table, cuts: list[int], random
) -> None:
    whole = facts(Tallies.of(table, CLASSES))
    order = list(range(table.num_rows))
    random.shuffle(order)
    shuffled = table.take(pa.array(order, pa.int64()))
    edges = [0, *sorted(min(cut, len(order)) for cut in cuts), len(order)]
    parts = [Tallies.of(shuffled.slice(low, high - low), CLASSES) for low, high in pairwise(edges)]
    random.shuffle(parts)
    assert facts(merge(parts, CLASSES)) == whole
    assert parquet(merge(parts, CLASSES)) == parquet(Tallies.of(table, CLASSES))


@unhurried
@given(tallied())
def test_tallies_survive_parquet(tallies: Tallies) -> None:
    assert facts(tallies_of_table(pq.read_table(io.BytesIO(parquet(tallies))))) == facts(tallies)


def test_sums_beyond_64_bits_survive_parquet() -> None:
    empty = Tallies.empty(3)
    huge = Sum(total=3**60, squares=5**90, infinite=2)
    tallies = Tallies(empty.confusion, empty.ranks, huge, huge, empty.calibration, 1, 2)
    assert tallies_of_table(tallies_table(tallies)).nll == huge


def test_a_table_that_holds_no_tallies_is_refused() -> None:
    with pytest.raises(KeyError):
        tallies_of_table(pa.table({"target": [0], "prediction": [0], "count": [1]}))


def test_figures_are_those_of_scikit_learn() -> None:
    generator = np.random.default_rng(7)
    n = 400
    targets = generator.integers(0, CLASSES, n)
    logits = generator.normal(size=(n, CLASSES)) + 1.5 * np.eye(CLASSES)[targets]
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    tallies = Tallies.of(rows_of(scores, targets.tolist()), CLASSES)
    assert tallies.n == n
    assert tallies.confusion.counts.tolist() == (
        confusion_matrix(targets, scores.argmax(axis=1)).tolist()
    )
    for k in range(1, TOP_K + 1):
        expected = top_k_accuracy_score(targets, scores, k=k, normalize=False)
        assert tallies.top(k) == expected
    assert tallies.nll.total / FIXED_POINT / n == pytest.approx(log_loss(targets, scores), abs=1e-7)
    brier = ((scores - np.eye(CLASSES)[targets]) ** 2).sum(axis=1).mean()
    assert tallies.brier.total / FIXED_POINT / n == pytest.approx(brier, abs=1e-6)


@unhurried
@given(st.lists(st.floats(-1, 1e6, width=32) | st.floats(0, 2.0**120, width=32), max_size=12))
def test_sums_are_exact(values: list[float]) -> None:
    found = Sum.of(np.array(values, dtype=np.float64))
    # The square is rounded once, to float64; all else is exact.
    assert found.total == sum(round(Fraction(v) * FIXED_POINT) for v in values)
    assert found.squares == sum(round(Fraction(v * v) * FIXED_POINT) for v in values)
    assert found.infinite == 0


def test_infinite_values_are_counted_and_not_added() -> None:
    found = Sum.of(np.array([0.5, np.inf, 2.0, np.inf]))
    assert found == Sum(
        total=round(2.5 * FIXED_POINT), squares=round(4.25 * FIXED_POINT), infinite=2
    )


def test_unlabelled_rows_are_counted_and_not_scored() -> None:
    tallies = Tallies.of(rows_of(favouring([0, 1, 1], 3), [0, None, None]), 3)
    assert (tallies.n, tallies.unlabelled, tallies.failed) == (1, 2, 0)
    assert tallies.top(1) == 1


def test_failed_rows_leave_n() -> None:
    table = rows_of(favouring([0, 1, 1, 1], 3), [0, 0, None, 1], errors=[None, "a", "b", "c"])
    tallies = Tallies.of(table, 3)
    # A failed row without a target could not have been scored: it counts as unlabelled alone.
    assert (tallies.n, tallies.unlabelled, tallies.failed) == (1, 1, 2)
    assert tallies.confusion.counts.sum() == 1


@pytest.mark.parametrize("table", [SCHEMA.empty_table(), rows_of(np.zeros((0, 3)), [])])
def test_no_rows_tally_to_nothing(table: pa.Table) -> None:
    assert facts(Tallies.of(table, 3)) == facts(Tallies.empty(3))


def test_rows_that_all_failed_tally_to_nothing_but_failures() -> None:
    tallies = Tallies.of(rows_of(favouring([0, 1], 3), [0, 1], errors=["a", "b"]), 3)
    assert (tallies.n, tallies.failed) == (0, 2)


def test_a_prediction_of_another_set_of_classes_is_refused() -> None:
    with pytest.raises(ValueError, match="prediction is not between 0 and 1"):
        Tallies.of(rows_of(favouring([2], 3), [0]), 2)
    with pytest.raises(ValueError, match="target is not between 0 and 1"):
        Tallies.of(rows_of(favouring([0], 3), [2]), 2)


def test_few_classes_count_the_ranks_they_have() -> None:
    tallies = Tallies.of(rows_of(favouring([0, 1], 2), [0, 0]), 2)
    assert tallies.ranks.tolist() == [1, 1]
    assert tallies.top(5) == 2


def test_top_0_is_refused() -> None:
    with pytest.raises(ValueError, match="top-0"):
        Tallies.empty(3).top(0)


def test_only_the_columns_named_are_needed() -> None:
    table = rows_of(favouring([0, 1, 1], 3), [0, None, 2], errors=[None, None, "torn"])
    assert facts(Tallies.of(table.select(TALLIED), 3)) == facts(Tallies.of(table, 3))


def test_a_row_without_an_error_must_have_a_prediction() -> None:
    table = rows_of(favouring([0, 1, 1], 3), [0, 0, 0], errors=[None, "torn", None])
    table = table.set_column(9, "error", pa.nulls(3, pa.string()))
    with pytest.raises(ValueError, match="has no predictions"):
        Tallies.of(table, 3)


def test_small_tables_are_tallied_together_and_give_the_same() -> None:
    generator = np.random.default_rng(3)
    scores = generator.dirichlet(np.ones(CLASSES), 300)
    table = rows_of(scores, generator.integers(0, CLASSES, 300).tolist())
    parts = [table.slice(start, 7) for start in range(0, 300, 7)]
    assert facts(tally(parts, CLASSES)) == facts(Tallies.of(table, CLASSES))
    assert [part.num_rows for part in batched(parts)] == [300]
    assert facts(tally([], CLASSES)) == facts(Tallies.empty(CLASSES))
    wide = pa.table({"x": np.zeros(BATCH_ROWS // 2 + 1)})
    assert [part.num_rows for part in batched([wide] * 5)] == [
        *(2 * wide.num_rows,) * 2,
        wide.num_rows,
    ]


@pytest.mark.parametrize("metadata", [{"format": 1}, {}])
def test_tallies_of_another_format_are_refused(metadata: dict) -> None:
    table = tallies_table(Tallies.empty(3))
    old = table.replace_schema_metadata({b"nightmark.tallies": json.dumps(metadata).encode()})
    with pytest.raises(KeyError, match="format 1"):
        tallies_of_table(old)


def test_a_target_of_unknown_rank_and_probability_is_counted_and_missed() -> None:
    """A target that was changed, where only the first five classes were kept."""
    rows = rows_of(favouring([0, 1, 2], CLASSES), [0, 1, 6])
    names = ("target_rank", "target_prob", "nll")
    unknown = pa.array([None], pa.int32()), pa.array([None], pa.float32())
    for name, nothing in zip(names, (unknown[0], unknown[1], unknown[1]), strict=True):
        column = pa.chunked_array([rows[name].slice(0, 2).combine_chunks(), nothing])
        rows = rows.set_column(rows.column_names.index(name), name, column)
    tallies = Tallies.of(rows, CLASSES)
    assert (tallies.n, tallies.top(1), tallies.top(5), tallies.unscored) == (3, 2, 2, 1)
    assert facts(tallies_of_table(tallies_table(tallies))) == facts(tallies)
    assert (tallies + tallies).unscored == 2


def test_a_fault_while_reading_ahead_is_raised_where_it_belongs() -> None:
    def torn() -> Iterator[pa.Table]:
        yield pa.table({"x": np.zeros(BATCH_ROWS)})
        raise OSError("torn")

    found = ahead(batched(torn()))
    assert next(found).num_rows == BATCH_ROWS
    with pytest.raises(OSError, match="torn"):
        next(found)


def test_lists_are_read_alike_whether_their_lengths_are_equal_or_not() -> None:
    equal = pa.chunked_array([pa.array([[1, 2], [3, 4], [5, 6]])])
    mixed = pa.chunked_array([pa.array([[1, 2], [3], [5, 6, 7]])])
    every = np.ones(3, dtype=bool)
    for column in (equal, mixed):
        assert first_of(column, every).tolist() == [1, 3, 5]
        assert first_of(column.slice(1), every[1:]).tolist() == [3, 5]
        assert first_of(column, np.array([True, False, True])).tolist() == [1, 5]
