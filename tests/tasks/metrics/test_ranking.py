from collections.abc import Iterator

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score

from tasks.metrics.intervals import auroc_interval, wilson
from tasks.metrics.ranking import (
    RANKED_CLASS_NAMES,
    RANKED_NAMES,
    Ranking,
    macro_ranked_metrics,
    rank,
    ranked_class_metrics,
)

CLASSES = 6


def made(n: int = 300, seed: int = 1, dtype: type = np.float32) -> tuple[np.ndarray, np.ndarray]:
    """Scores [n, classes], and targets of which class 4 has none and some have no part."""
    generator = np.random.default_rng(seed)
    targets = generator.choice([-1, 0, 1, 2, 3, 5], n).astype(np.int32)
    logits = generator.normal(size=(n, CLASSES)) + 1.5 * np.eye(CLASSES)[targets]
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return scores.astype(dtype), targets


def ranking_of(scores: np.ndarray, targets: np.ndarray, **more: int) -> Ranking:
    def files() -> Iterator[np.ndarray]:
        yield from (scores[start : start + 70] for start in range(0, len(scores), 70))

    kind = "float16" if scores.dtype == np.float16 else "float32"
    return rank(files, targets, scores.shape[1], kind, **more)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("block_bytes", [1, 3_000, 1 << 20])
def test_every_class_is_ranked_as_by_scikit_learn(dtype: type, block_bytes: int) -> None:
    scores, targets = made(dtype=dtype)
    ranking = ranking_of(scores, targets, block_bytes=block_bytes)
    counted = targets >= 0
    assert sorted(ranking.classes) == [0, 1, 2, 3, 5]
    for index, found in ranking.classes.items():
        positive, column = (targets == index)[counted], scores[counted, index]
        assert found.average_precision == pytest.approx(
            average_precision_score(positive, column), abs=1e-9
        )
        assert found.auroc == pytest.approx(roc_auc_score(positive, column), abs=1e-9)
        assert (found.positives, found.negatives) == (positive.sum(), (~positive).sum())


def test_the_size_of_a_block_changes_nothing() -> None:
    scores, targets = made()
    one, many = ranking_of(scores, targets), ranking_of(scores, targets, block_bytes=1)
    assert one.classes == many.classes
    assert one.points.equals(many.points)


def test_files_are_read_once_for_each_block() -> None:
    scores, targets = made()
    reads = 0

    def files() -> Iterator[np.ndarray]:
        nonlocal reads
        reads += 1
        yield scores

    counted = int((targets >= 0).sum())
    rank(files, targets, CLASSES, "float32", block_bytes=2 * 4 * counted)
    assert reads == 3


@pytest.mark.parametrize("rows", [0, 100, 299, 301])
def test_files_of_another_length_are_refused(rows: int) -> None:
    scores, targets = made(301)
    with pytest.raises(ValueError, match="one row for each of 300 samples"):
        ranking_of(scores[:rows], targets[:300])


def test_classes_have_their_figures_with_intervals() -> None:
    scores, targets = made()
    ranking = ranking_of(scores, targets)
    of = ranking.classes[2]
    precision, auroc = ranked_class_metrics(ranking, 2, of.positives)
    assert (precision.name, auroc.name) == RANKED_CLASS_NAMES
    assert (precision.low, precision.high) == wilson(
        of.average_precision * of.positives, of.positives
    )
    assert (auroc.low, auroc.high) == auroc_interval(of.auroc, of.positives, of.negatives)
    assert (precision.n, auroc.n, auroc.negatives) == (of.positives, of.positives, of.negatives)
    # A gate on each of many classes asks for a wider one.
    assert precision.interval(0.999) == wilson(
        of.average_precision * of.positives, of.positives, 0.999
    )
    assert auroc.interval(0.999) == auroc_interval(of.auroc, of.positives, of.negatives, 0.999)


@pytest.mark.parametrize(("dtype", "marked"), [(np.float32, "float32"), (np.float16, "float16")])
def test_figures_say_how_precise_their_scores_were(dtype: type, marked: str) -> None:
    scores, targets = made(dtype=dtype)
    ranking = ranking_of(scores, targets)
    found = [*ranked_class_metrics(ranking, 0, 9), *macro_ranked_metrics(ranking, 300)]
    assert {metric.scores for metric in found} == {marked}


def test_states_where_there_is_no_figure() -> None:
    scores, targets = made()
    ranking = ranking_of(scores, targets)
    absent = ranked_class_metrics(ranking, 4, 0)
    not_kept = ranked_class_metrics(None, 2, 50)
    assert {(m.state, m.n) for m in absent} == {("absent_class", 0)}
    assert {(m.state, m.n) for m in not_kept} == {("needs_scores", 50)}
    assert {(m.state, m.n) for m in macro_ranked_metrics(None, 50)} == {("needs_scores", 50)}
    assert {(m.state, m.n) for m in macro_ranked_metrics(None, 0)} == {("no_samples", 0)}
    alone = ranking_of(scores[:20], np.zeros(20, dtype=np.int32))
    precision, auroc = ranked_class_metrics(alone, 0, 20)
    assert (precision.value, auroc.state) == (1, "no_negatives")
    assert [m.state for m in macro_ranked_metrics(alone, 20)] == ["defined", "no_negatives"]


def test_macro_figures_are_plain_means_over_the_classes_present() -> None:
    scores, targets = made()
    ranking = ranking_of(scores, targets)
    precision, auroc = macro_ranked_metrics(ranking, 250)
    assert (precision.name, auroc.name) == RANKED_NAMES
    found = ranking.classes.values()
    assert precision.value == pytest.approx(np.mean([of.average_precision for of in found]))
    assert auroc.value == pytest.approx(np.mean([of.auroc for of in found]))


def test_a_perfect_ranking_is_no_certainty() -> None:
    targets = np.repeat(np.arange(3, dtype=np.int32), 4)
    ranking = ranking_of(np.eye(3, dtype=np.float32)[targets], targets)
    for metric in (*ranked_class_metrics(ranking, 1, 4), *macro_ranked_metrics(ranking, 12)):
        assert (metric.value, metric.high) == (1, 1)
        assert metric.low is not None
        assert metric.low < 0.9


def test_intervals_cover_the_truth() -> None:
    # One score, normal in both: 40 positives, 400 negatives.
    shift, sizes = 1.8, (40, 400)
    truth = stats.norm.cdf(shift / np.sqrt(2))
    grid = np.random.default_rng(0).normal(size=200_000) + shift
    odds = sizes[1] / sizes[0] * stats.norm.sf(grid) / stats.norm.sf(grid - shift)
    area = np.mean(1 / (1 + odds))
    targets = np.repeat(np.array([0, 1], dtype=np.int32), sizes)
    covered = np.zeros(2)
    for seed in range(100):
        scores = np.random.default_rng(seed).normal(size=sum(sizes)) + shift * (targets == 0)
        both = np.stack([scores, -scores], axis=1).astype(np.float32)
        metrics = ranked_class_metrics(ranking_of(both, targets), 0, sizes[0])
        for place, (metric, expected) in enumerate(zip(metrics, (area, truth), strict=True)):
            assert metric.low is not None
            assert metric.high is not None
            covered[place] += metric.low <= expected <= metric.high
    assert (covered >= 92).all(), covered


@pytest.mark.parametrize("classes", [2, 4])
def test_macro_intervals_cover_the_truth(classes: int) -> None:
    def drawn(n: int, seed: int) -> list:
        generator = np.random.default_rng(seed)
        targets = generator.integers(0, classes, n).astype(np.int32)
        logits = generator.normal(size=(n, classes)) + 1.5 * np.eye(classes)[targets]
        scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        return macro_ranked_metrics(ranking_of(scores.astype(np.float32), targets), n)

    truth = [metric.value for metric in drawn(100_000, 0)]
    covered = np.zeros(2)
    for seed in range(1, 101):
        for place, metric in enumerate(drawn(120, seed)):
            covered[place] += metric.low <= truth[place] <= metric.high
    assert (covered >= 90).all(), covered
