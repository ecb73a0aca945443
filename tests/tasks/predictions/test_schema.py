import io

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.special import log_softmax, softmax

from tasks.models.spec import Output
from tasks.predictions.ranking import TOP_K
from tasks.predictions.schema import SCHEMA, Scored, prediction_rows, score_rows

unhurried = settings(deadline=None, max_examples=60)
# Few distinct values, so that there are many ties.
logits = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 8), st.integers(1, 12)),
    elements=st.sampled_from([-3.0, -0.5, -0.0, 0.0, 1.0, 1.25, 40.0]),
)


def scored(
    scores: np.ndarray,
    targets: list[int | None] | None = None,
    output: Output = "logits",
    errors: list[str | None] | None = None,
) -> Scored:
    n = len(scores)
    return Scored(
        keys=[f"k{i}" for i in range(n)],
        targets=[0] * n if targets is None else targets,
        scores=scores.astype(np.float32),
        errors=[None] * n if errors is None else errors,
        output=output,
    )


@unhurried
@given(logits, st.data())
def test_lists_are_sorted_and_the_rank_agrees_with_them(
    scores: np.ndarray, data: st.DataObject
) -> None:
    n, classes = scores.shape
    targets = data.draw(st.lists(st.integers(0, classes - 1), min_size=n, max_size=n))
    probabilities = softmax(scores.astype(np.float64), axis=1)
    for i, row in enumerate(prediction_rows(scored(scores, targets)).to_pylist()):
        order = sorted(range(classes), key=lambda c: (-scores[i, c], c))
        assert row["topk"] == order[:TOP_K]
        assert row["topk_prob"] == sorted(row["topk_prob"], reverse=True)
        assert row["topk_prob"] == pytest.approx(probabilities[i, order[:TOP_K]], abs=1e-6)
        assert row["target_rank"] == order.index(targets[i])
        if row["target_rank"] < TOP_K:
            assert row["topk"][row["target_rank"]] == targets[i]
            assert row["topk_prob"][row["target_rank"]] == row["target_prob"]
        else:
            assert targets[i] not in row["topk"]
        assert row["target_prob"] == pytest.approx(probabilities[i, targets[i]], abs=1e-6)
        assert row["nll"] == pytest.approx(
            -np.log(probabilities[i, targets[i]]), rel=1e-6, abs=1e-6
        )
        assert row["sum_sq_prob"] == pytest.approx((probabilities[i] ** 2).sum(), rel=1e-6)


def test_ties_rank_by_the_lower_class_index() -> None:
    table = prediction_rows(scored(np.ones((7, 7)), targets=list(range(7))))
    assert table["topk"].to_pylist() == [[0, 1, 2, 3, 4]] * 7
    assert table["target_rank"].to_pylist() == [0, 1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("classes", [1, 2, 5, 6])
def test_lists_hold_the_classes_there_are(classes: int) -> None:
    row = prediction_rows(scored(np.zeros((1, classes)))).to_pylist()[0]
    assert row["topk"] == list(range(min(classes, TOP_K)))
    assert row["topk_prob"] == pytest.approx([1 / classes] * min(classes, TOP_K))


def test_outputs_that_mean_the_same_give_the_same_rows() -> None:
    generator = np.random.default_rng(9)
    scores = generator.normal(size=(20, 8))
    targets = generator.integers(0, 8, 20).tolist()
    tables = [
        prediction_rows(scored(of, targets, output))
        for of, output in (
            (scores, "logits"),
            (softmax(scores, axis=1), "probabilities"),
            (log_softmax(scores, axis=1), "log_probabilities"),
        )
    ]
    for name in ("topk", "target_rank", "key", "index", "target", "error"):
        assert tables[0][name].equals(tables[1][name])
        assert tables[0][name].equals(tables[2][name])
    for name in ("nll", "target_prob", "sum_sq_prob"):
        for other in tables[1:]:
            assert other[name].to_numpy() == pytest.approx(tables[0][name].to_numpy(), abs=1e-6)


def test_a_probability_of_0_is_an_infinite_loss() -> None:
    row = prediction_rows(scored(np.array([[1.0, 0.0]]), [1], "probabilities")).to_pylist()[0]
    assert row["nll"] == np.inf
    assert (row["target_prob"], row["target_rank"]) == (0, 1)


def test_failed_and_unlabelled_rows_hold_null_where_nothing_is_known() -> None:
    scores = np.array([[0.0, 1.0], [np.nan, np.inf], [2.0, 0.0], [np.nan, 0.0]])
    rows = prediction_rows(
        scored(scores, [0, 1, None, None], errors=[None, "torn", None, "empty"])
    ).to_pylist()
    known = {
        0: set(SCHEMA.names) - {"error"},
        1: {"key", "index", "target", "error"},
        2: {"key", "index", "topk", "topk_prob", "sum_sq_prob"},
        3: {"key", "index", "error"},
    }
    for i, row in enumerate(rows):
        assert {name for name, value in row.items() if value is not None} == known[i]
        assert (row["key"], row["index"]) == (f"k{i}", i)


def test_rows_have_the_schema_and_survive_parquet() -> None:
    table = prediction_rows(scored(np.zeros((2, 3)), [None, 1], errors=["torn", None]))
    assert table.schema.equals(SCHEMA)
    sink = io.BytesIO()
    pq.write_table(table, sink)
    sink.seek(0)
    back = pq.read_table(sink)
    assert back.schema.equals(SCHEMA)
    assert back.equals(table)


def test_no_samples_give_no_rows() -> None:
    table = prediction_rows(scored(np.zeros((0, 3))))
    assert table.num_rows == 0
    assert table.schema.equals(SCHEMA)


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="unequal length"):
        scored(np.zeros((2, 3)), targets=[0])
    with pytest.raises(ValueError, match="unequal length"):
        scored(np.zeros(2))


@pytest.mark.parametrize("errors", [[None, None], [None, "torn"], ["torn", "torn"]])
@pytest.mark.parametrize("target", [-1, 3])
def test_a_target_beyond_the_classes_is_refused_by_key(
    errors: list[str | None], target: int
) -> None:
    with pytest.raises(ValueError, match=f"target {target} of k1 is none of 3 classes"):
        scored(np.zeros((2, 3)), [0, target], errors=errors)


@pytest.mark.parametrize(
    ("classes", "width", "tolerance"), [(100, "float", 1e-7), (101, "halffloat", 1e-3)]
)
def test_full_scores_are_kept_as_probabilities(classes: int, width: str, tolerance: float) -> None:
    scores = np.random.default_rng(10).normal(size=(4, classes))
    table = score_rows(scored(scores, errors=[None, "torn", None, None]))
    assert table is not None
    assert str(table.schema.field("probabilities").type.value_type) == width
    rows = table["probabilities"].to_pylist()
    assert rows[1] is None
    expected = softmax(scores.astype(np.float32).astype(np.float64), axis=1)
    for i in (0, 2, 3):
        assert [float(p) for p in rows[i]] == pytest.approx(expected[i], abs=tolerance)
    assert table["key"].to_pylist() == ["k0", "k1", "k2", "k3"]


def test_full_scores_of_many_classes_are_not_kept() -> None:
    assert score_rows(scored(np.zeros((1, 1_000)))) is not None
    assert score_rows(scored(np.zeros((1, 1_001)))) is None
