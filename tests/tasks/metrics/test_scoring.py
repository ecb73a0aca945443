import warnings

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    cohen_kappa_score,
    confusion_matrix,
    log_loss,
    matthews_corrcoef,
    precision_recall_fscore_support,
    top_k_accuracy_score,
)

from shards.errors import ShardError
from shards.sample import ClassList
from tasks.metrics.scoring import Scoring, compose_scoring
from tasks.metrics.summary import CLASS_NAMES, COUNTED_CLASS_NAMES
from tasks.metrics.tallies import Tallies, merge
from tests.support.shared_data import SHARED, needs_shared
from tests.tasks.metrics.made_by_hand import EVALUATION, favouring, rows_of, scoring_of, tallies_of

ANIMALS = ClassList(names=("crane", "otter", "crane"), ids=("n01", "n02", "n03"))
COUNTS = np.array([[7, 0, 3], [1, 0, 0], [0, 2, 5]])


def test_a_scoring_says_what_was_counted() -> None:
    table = rows_of(
        favouring([0, 1, 1, 2, 0], 3), [0, 1, 0, None, 2], errors=[None, None, None, None, "torn"]
    )
    scoring = scoring_of(Tallies.of(table, 3), ANIMALS)
    assert (scoring.n, scoring.failed, scoring.unlabelled) == (3, 1, 1)
    assert scoring.support == (2, 1, 0)
    assert scoring.confusion == ((0, 0, 1), (0, 1, 1), (1, 1, 1))
    assert scoring.classes == ANIMALS
    assert (scoring.pair, scoring.evaluation) == (EVALUATION.pair, EVALUATION.id)


def test_metrics_are_found_by_name_and_by_class() -> None:
    scoring = scoring_of(tallies_of(COUNTS), ANIMALS)
    assert scoring.metric("top1").value == pytest.approx(12 / 18)
    found = {metric.name: metric for metric in scoring.of_class(1)}
    assert tuple(found) == CLASS_NAMES
    assert found["recall"].value == 0
    with pytest.raises(KeyError, match="no metric 'top2'"):
        scoring.metric("top2")


def test_equal_predictions_give_equal_bytes_and_they_can_be_read_back() -> None:
    one, two = (scoring_of(tallies_of(COUNTS.copy()), ANIMALS) for _ in range(2))
    assert one.to_json() == two.to_json()
    assert Scoring.from_json(one.to_json(), "metrics.json") == one


@pytest.mark.parametrize("counts", [COUNTS, np.zeros((3, 3), dtype=int)])
def test_undefined_figures_survive_json(counts: np.ndarray) -> None:
    scoring = scoring_of(tallies_of(counts), ANIMALS)
    assert Scoring.from_json(scoring.to_json(), "metrics.json") == scoring


def test_an_infinite_nll_survives_json() -> None:
    scoring = scoring_of(Tallies.of(rows_of(np.array([[1.0, 0.0, 0.0]]), [1]), 3), ANIMALS)
    assert scoring.metric("nll").state == "infinite"
    assert Scoring.from_json(scoring.to_json(), "metrics.json") == scoring


def test_what_is_no_scoring_is_refused_by_name() -> None:
    raw = scoring_of(tallies_of(COUNTS), ANIMALS).to_json()
    with pytest.raises(ShardError, match=r"there/metrics\.json is no Scoring"):
        Scoring.from_json(
            raw.replace(b"nightmark.metrics", b"nightmark.other"), "there/metrics.json"
        )


@pytest.mark.parametrize("names", [("crane", "otter"), ("a", "b", "c", "d")])
def test_another_number_of_classes_is_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=f"{len(names)} classes for tallies over 3"):
        compose_scoring(EVALUATION, ClassList.of_names(names), tallies_of(COUNTS))


def test_the_identity_is_of_evaluation_and_targets() -> None:
    tallies = tallies_of(COUNTS)
    first = compose_scoring(EVALUATION, ANIMALS, tallies).id
    relabelled = EVALUATION.model_copy(update={"targets_digest": "9" * 64})
    again = EVALUATION.model_copy(update={"id": "efedcba9876543210"})
    assert first == compose_scoring(EVALUATION, ANIMALS, tallies).id
    assert (
        len({first, *(compose_scoring(e, ANIMALS, tallies).id for e in (relabelled, again))}) == 3
    )


@pytest.fixture(scope="module")
def published() -> tuple[np.ndarray, np.ndarray]:
    """Probabilities [10000, 10] of another network, and the labels, from cleanlab's study."""
    folder = SHARED / "data/label_errors"
    scores = np.load(folder / "cifar10_test_set_pyx.npy")
    return scores, np.load(folder / "cifar10_test_set_original_labels.npy").astype(np.int64)


@needs_shared
def test_published_predictions_give_the_published_figures(
    published: tuple[np.ndarray, np.ndarray],
) -> None:
    scores, targets = published
    halves = [
        Tallies.of(rows_of(scores[part], targets[part].tolist()), 10)
        for part in (slice(6_000, None), slice(0, 6_000))
    ]
    scoring = scoring_of(merge(halves, 10))
    found = {metric.name: metric.value for metric in scoring.overall}
    assert found["top1"] == 0.9294
    assert found["top5"] == 0.9974
    assert found["nll"] == pytest.approx(0.2491713, abs=1e-7)
    assert found["ece"] == pytest.approx(0.0325885, abs=1e-7)
    # Stored as float32, per sample: the mean of squares is a little less exact.
    brier = ((scores - np.eye(10)[targets]) ** 2).sum(axis=1).mean()
    assert found["brier"] == pytest.approx(brier, abs=1e-8)


@needs_shared
def test_published_predictions_give_the_figures_of_scikit_learn(
    published: tuple[np.ndarray, np.ndarray],
) -> None:
    scores, targets = published
    predicted = scores.argmax(axis=1)
    scoring = scoring_of(Tallies.of(rows_of(scores, targets.tolist()), 10))
    found = {metric.name: metric.value for metric in scoring.overall}
    expected = {
        "top1": accuracy_score(targets, predicted),
        "top5": top_k_accuracy_score(targets, scores, k=5),
        "balanced_accuracy": balanced_accuracy_score(targets, predicted),
        "mcc": matthews_corrcoef(targets, predicted),
        "kappa": cohen_kappa_score(targets, predicted),
    }
    with warnings.catch_warnings():
        # They are probabilities in float32: their sums are off by 2e-7.
        warnings.filterwarnings("ignore", "The y_prob values do not sum to one")
        expected["nll"] = log_loss(targets, scores)
    for average in ("macro", "weighted", "micro"):
        figures = precision_recall_fscore_support(targets, predicted, average=average)
        for name, value in zip(("precision", "recall", "f1"), figures[:3], strict=True):
            expected[f"{average}_{name}"] = value
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-9)

    dense = np.zeros((10, 10), dtype=int)
    for target, prediction, count in scoring.confusion:
        dense[target, prediction] = count
    assert dense.tolist() == confusion_matrix(targets, predicted).tolist()
    per_class = precision_recall_fscore_support(targets, predicted)
    assert list(scoring.support) == per_class[3].tolist()
    for metric in scoring.per_class:
        if metric.name not in COUNTED_CLASS_NAMES:
            assert metric.state == "needs_scores"
            continue
        values = per_class[("precision", "recall", "f1").index(metric.name)]
        assert metric.value == pytest.approx(values[metric.class_index], abs=1e-9)
