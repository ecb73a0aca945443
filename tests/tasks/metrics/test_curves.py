import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    average_precision_score,
    precision_recall_curve,
    roc_auc_score,
)

from tasks.metrics.curves import POINTS, SCHEMA, OneVsRest
from tests.tasks.metrics.made_by_hand import unhurried

# Few distinct scores: ties within and between the classes are the rule.
rows = st.lists(
    st.tuples(st.sampled_from([0.0, 0.125, 0.3, 0.5, 0.9, 1.0]), st.booleans()),
    min_size=2,
    max_size=60,
).filter(lambda pairs: 0 < sum(right for _, right in pairs) < len(pairs))


def columns(pairs: list[tuple[float, bool]]) -> tuple[np.ndarray, np.ndarray]:
    scores, positive = zip(*pairs, strict=True)
    return np.array(scores, dtype=np.float32), np.array(positive)


@unhurried
@given(rows)
def test_areas_are_those_of_scikit_learn_ties_included(pairs: list[tuple[float, bool]]) -> None:
    scores, positive = columns(pairs)
    curve = OneVsRest.of(scores, positive)
    assert curve.average_precision == pytest.approx(
        average_precision_score(positive, scores), abs=1e-9
    )
    assert curve.auroc == pytest.approx(roc_auc_score(positive, scores), abs=1e-9)


@unhurried
@given(rows)
def test_every_point_is_what_its_threshold_gives(pairs: list[tuple[float, bool]]) -> None:
    scores, positive = columns(pairs)
    points = OneVsRest.of(scores, positive).points(3)
    assert points.schema.equals(SCHEMA)
    assert set(points["class"].to_pylist()) == {3}
    precision, recall, thresholds = precision_recall_curve(positive, scores)
    corners = {(t, r, p) for t, r, p in zip(thresholds, recall, precision, strict=False)}
    for row in points.to_pylist():
        if row["kind"] == "precision_recall":
            assert (row["threshold"], row["x"], row["y"]) in corners
        else:
            taken = scores >= row["threshold"]
            assert (taken & positive).sum() / positive.sum() == row["y"]
            assert (taken & ~positive).sum() / (~positive).sum() == row["x"]


def test_whole_roc_gives_the_area_by_trapezoids() -> None:
    generator = np.random.default_rng(2)
    positive = np.arange(400) < 20
    scores = np.round(generator.normal(size=400) + 1.2 * positive, 1).astype(np.float32)
    points = OneVsRest.of(scores, positive).points(0).to_pandas()
    roc = points[points["kind"] == "roc"]
    assert np.trapezoid(roc["y"], roc["x"]) == pytest.approx(roc_auc_score(positive, scores))
    assert (roc["x"].iloc[0], roc["y"].iloc[-1]) == (0, 1)


def test_long_curves_are_thinned_and_keep_their_ends() -> None:
    generator = np.random.default_rng(4)
    positive = np.arange(5_000) < 2_500
    scores = (generator.normal(size=5_000) + positive).astype(np.float32)
    points = OneVsRest.of(scores, positive).points(0).to_pylist()
    for kind in ("precision_recall", "roc"):
        kept = [row for row in points if row["kind"] == kind]
        assert len(kept) == POINTS
        assert max(row["x" if kind == "precision_recall" else "y"] for row in kept) == 1


def test_without_another_class_there_is_no_roc() -> None:
    curve = OneVsRest.of(np.array([0.5, 0.7], dtype=np.float32), np.array([True, True]))
    assert (curve.average_precision, curve.negatives) == (1, 0)
    assert set(curve.points(0)["kind"].to_pylist()) == {"precision_recall"}


def test_half_precision_ties_what_it_cannot_tell() -> None:
    scores = np.array([0.9000001, 0.9], dtype=np.float32)
    positive = np.array([True, False])
    assert OneVsRest.of(scores, positive).auroc == 1
    assert OneVsRest.of(scores.astype(np.float16), positive).auroc == 0.5


def test_many_pairs_do_not_overflow() -> None:
    # 1e7 by 1e7 samples: 1e14 pairs, and twice as many halves.
    many = 10_000_000
    curve = OneVsRest(
        many,
        many,
        np.array([0.5]),
        np.array([many]),
        np.array([many]),
        np.array([many]),
    )
    assert curve.auroc == 0.5
