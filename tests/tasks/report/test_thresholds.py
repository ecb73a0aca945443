"""Every threshold of a curve counted again from the stored probabilities."""

import numpy as np
import pyarrow as pa
from scipy.stats import binomtest

from shards.store import Store
from tasks.report.thresholds import class_curves, curve_files
from tasks.stored import prediction_tables, score_tables
from tests.support.stored import logits, pair_name, store_evaluation

CLASSES = 4
TARGETS = np.random.default_rng(3).integers(0, CLASSES - 1, 90)
PAIR = pair_name("m")


def test_the_rows_of_a_curve_are_counts_of_the_stored_probabilities(root: object) -> None:
    store = Store.at(str(root))
    scores = logits(TARGETS, CLASSES, 1.5, seed=5)
    stored = store_evaluation(store, PAIR, scores, TARGETS.tolist())
    curves = class_curves(store, PAIR, stored.scoring)
    assert [curve.index for curve in curves] == [0, 1, 2], "the last class has no image"
    kept = pa.concat_tables(score_tables(store, stored.evaluation))
    probabilities = np.array(kept["probabilities"].to_pylist())
    rows = pa.concat_tables(prediction_tables(store, stored.evaluation))
    assert rows["key"].to_pylist() == kept["key"].to_pylist()
    for curve in curves:
        of_class = curve.index == TARGETS
        assert curve.n == of_class.sum()
        assert len(curve.rows) > 10
        for threshold, hits, taken, low, high, least, most in curve.rows:
            reached = probabilities[:, curve.index] >= threshold - 1e-9
            assert (hits, taken) == ((reached & of_class).sum(), reached.sum())
            recall = binomtest(hits, curve.n).proportion_ci(method="wilson")
            precision = binomtest(hits, taken).proportion_ci(method="wilson")
            np.testing.assert_allclose([low, high], [recall.low, recall.high], atol=1e-9)
            np.testing.assert_allclose([least, most], [precision.low, precision.high], atol=1e-9)
    (file,) = curve_files(curves).values()
    assert list(file) == ["0", "1", "2"]
    assert file["1"][0] == curves[1].n


def test_without_scores_there_are_no_curves(root: object) -> None:
    store = Store.at(str(root))
    scores = logits(TARGETS, CLASSES, 1.5, seed=5)
    stored = store_evaluation(store, PAIR, scores, TARGETS.tolist(), keep_scores=False)
    assert class_curves(store, PAIR, stored.scoring) == ()
    assert curve_files(()) == {}
