import json
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    balanced_accuracy_score,
    confusion_matrix,
    precision_recall_fscore_support,
)

from tasks.metrics.agreement import AGREEMENTS
from tasks.metrics.confusion import AVERAGES, ConfusionMatrix
from tests.support.shared_data import SHARED, needs_shared
from tests.tasks.metrics.made_by_hand import unhurried

CLASSES = 6
index = st.integers(0, CLASSES - 1)
pairs = st.lists(st.tuples(index, index), min_size=1, max_size=60)


def matrix_of(pairs: list[tuple[int, int]], classes: int = CLASSES) -> ConfusionMatrix:
    targets, predicted = np.array(pairs, dtype=np.int32).reshape(-1, 2).T
    return ConfusionMatrix.of(targets, predicted, classes)


def sklearn_averages(targets: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """What scikit-learn makes of them, over the classes present."""
    present = np.unique(targets)
    found = {}
    with warnings.catch_warnings():
        # Predictions of classes without samples are the point of some of these cases.
        warnings.filterwarnings("ignore", "y_pred contains classes not in y_true")
        warnings.filterwarnings("ignore", "A single label was found")
        found["balanced_accuracy"] = balanced_accuracy_score(targets, predicted)
    for average in ("macro", "weighted"):
        precision, recall, f1, _ = precision_recall_fscore_support(
            targets, predicted, labels=present, average=average, zero_division=0
        )
        for name, value in (("precision", precision), ("recall", recall), ("f1", f1)):
            found[f"{average}_{name}"] = value
    return {name: float(value) for name, value in found.items()}


def test_rows_are_targets_and_columns_predictions() -> None:
    matrix = matrix_of([(0, 1), (0, 1), (2, 0)], classes=3)
    assert matrix.counts.tolist() == [[0, 2, 0], [0, 0, 0], [1, 0, 0]]
    assert matrix.support.tolist() == [2, 0, 1]
    assert matrix.predicted.tolist() == [1, 2, 0]
    assert matrix.hits.tolist() == [0, 0, 0]
    assert (matrix.n, matrix.classes) == (3, 3)


@unhurried
@given(pairs)
def test_counts_and_averages_are_those_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    targets, predicted = np.array(pairs).T
    matrix = matrix_of(pairs)
    expected = confusion_matrix(targets, predicted, labels=range(CLASSES))
    assert matrix.counts.tolist() == expected.tolist()
    averages = matrix.averages()
    assert tuple(averages) == AVERAGES
    assert averages == pytest.approx(sklearn_averages(targets, predicted), abs=1e-9)


@pytest.mark.parametrize(
    ("targets", "predicted"),
    [
        ([0, 0, 1, 1], [0, 2, 1, 2]),  # class 2 has no sample, and is predicted
        ([0, 0, 1, 2], [0, 0, 0, 0]),  # classes 1 and 2 are never predicted
        ([3, 3, 3], [3, 3, 3]),  # only one class, all right
        ([3, 3, 3], [1, 1, 1]),  # only one class, all wrong
        ([5], [5]),
    ],
)
def test_the_special_cases_are_those_of_scikit_learn(
    targets: list[int], predicted: list[int]
) -> None:
    matrix = matrix_of(list(zip(targets, predicted, strict=True)))
    expected = sklearn_averages(np.array(targets), np.array(predicted))
    assert matrix.averages() == pytest.approx(expected, abs=1e-9)


@unhurried
@given(pairs, st.integers(0, 60), st.randoms(use_true_random=False))
def test_parts_add_up_to_the_whole(pairs: list[tuple[int, int]], cut: int, random) -> None:
    whole = matrix_of(pairs)
    random.shuffle(pairs)
    assert (
        matrix_of(pairs[:cut]) + matrix_of(pairs[cut:])
    ).counts.tolist() == whole.counts.tolist()


def test_without_samples_there_are_no_averages() -> None:
    matrix = matrix_of([], classes=3)
    assert matrix.n == 0
    assert matrix.averages() == {}
    assert matrix.most_confused(5) == []


@pytest.mark.parametrize(
    ("pair", "name"), [((3, 0), "target"), ((-1, 0), "target"), ((0, 3), "prediction")]
)
def test_an_index_that_is_no_class_is_refused(pair: tuple[int, int], name: str) -> None:
    with pytest.raises(ValueError, match=f"a {name} is not between 0 and 2"):
        matrix_of([pair], classes=3)


@pytest.mark.parametrize("sizes", [(2, 1), (1, 2), (0, 3)])
def test_columns_of_unequal_length_are_refused(sizes: tuple[int, int]) -> None:
    columns = [np.zeros(size, dtype=np.int32) for size in sizes]
    with pytest.raises(ValueError, match=f"{sizes[0]} targets for {sizes[1]} predictions"):
        ConfusionMatrix.of(*columns, 3)


@pytest.mark.parametrize("shape", [(2, 3), (4,), (2, 2, 2)])
def test_a_confusion_matrix_is_square(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="square"):
        ConfusionMatrix(np.zeros(shape, dtype=np.int64))


@pytest.mark.parametrize(
    ("by", "sklearn_name"), [("target", "true"), ("prediction", "pred"), ("all", "all")]
)
def test_shares_are_those_of_scikit_learn(by: str, sklearn_name: str) -> None:
    generator = np.random.default_rng(3)
    targets, predicted = generator.integers(0, CLASSES, (2, 90))
    expected = confusion_matrix(targets, predicted, normalize=sklearn_name)
    found = ConfusionMatrix.of(targets, predicted, CLASSES).normalised(by)
    assert found == pytest.approx(expected, abs=1e-15)


def test_there_is_no_share_of_nothing() -> None:
    matrix = matrix_of([(0, 1), (0, 0)], classes=3)
    by_target, by_prediction = matrix.normalised("target"), matrix.normalised("prediction")
    assert np.isnan(by_target).tolist() == [[False] * 3, [True] * 3, [True] * 3]
    assert np.isnan(by_prediction).tolist() == [[False, False, True]] * 3
    assert np.isnan(matrix_of([], classes=3).normalised("all")).all()


def test_the_most_confused_come_largest_first_and_ties_by_class() -> None:
    counts = np.array([[9, 2, 3], [3, 9, 0], [0, 3, 9]])
    found = ConfusionMatrix(counts).most_confused(3)
    assert found == [(0, 2, 3), (1, 0, 3), (2, 1, 3)]
    assert ConfusionMatrix(counts).most_confused(10) == [*found, (0, 1, 2)]


def test_replicates_depend_on_the_seed_alone() -> None:
    matrix = ConfusionMatrix(np.array([[30, 10], [5, 15]]))
    one, same, other = (matrix.bootstrap(50, seed) for seed in (1, 1, 2))
    assert set(one) == {*AVERAGES, *AGREEMENTS}
    assert all(np.array_equal(one[name], same[name]) for name in one)
    assert not np.array_equal(one["macro_f1"], other["macro_f1"])
    assert all(values.shape == (50,) for values in one.values())
    assert all(((one[name] >= 0) & (one[name] <= 1)).all() for name in AVERAGES)


def test_replicates_spread_as_the_binomial_says() -> None:
    # With many samples in each class, recalls are independent proportions.
    counts = np.array([[800, 150, 50], [100, 600, 300], [20, 30, 950]])
    recalls = counts.diagonal() / 1000
    expected = np.sqrt((recalls * (1 - recalls) / 1000).sum()) / 3
    replicates = ConfusionMatrix(counts).bootstrap(4000, seed=4)["macro_recall"]
    assert replicates.std() == pytest.approx(expected, rel=0.05)
    assert replicates.mean() == pytest.approx(recalls.mean(), abs=3 * expected / np.sqrt(4000))


def test_replicates_are_those_of_resampled_rows() -> None:
    # Small classes: some resamples miss one, and average over those they hold.
    counts = np.array([[20, 4, 1], [3, 6, 0], [1, 0, 1]])
    targets, predicted = (
        np.repeat(part, counts.ravel()) for part in np.indices((3, 3)).reshape(2, -1)
    )
    generator = np.random.default_rng(5)
    naive: dict[str, list[float]] = {name: [] for name in AVERAGES}
    for _ in range(120):
        drawn = generator.integers(0, len(targets), len(targets))
        for name, value in sklearn_averages(targets[drawn], predicted[drawn]).items():
            naive[name].append(value)
    fast = ConfusionMatrix(counts).bootstrap(4000, seed=6)
    for name in AVERAGES:
        error = np.std(naive[name]) / np.sqrt(120)
        assert fast[name].mean() == pytest.approx(np.mean(naive[name]), abs=4 * error), name
        assert fast[name].std() == pytest.approx(np.std(naive[name]), rel=0.25), name


def reference_cases() -> list:
    file = SHARED / "data/reference/shared_metrics.json"
    if not file.is_file():
        return []
    return [
        pytest.param(entry, id=f"{group}-{name}")
        for group, entries in json.loads(file.read_bytes()).items()
        for name, entry in entries.items()
        if isinstance(entry, dict) and "confusion" in entry
    ]


@needs_shared
@pytest.mark.parametrize("entry", reference_cases())
def test_reference_figures_of_real_models_come_out(entry: dict) -> None:
    matrix = ConfusionMatrix(np.array(entry["confusion"], dtype=np.int64))
    assert matrix.n == entry["n"]
    assert matrix.hits.sum() == entry["correct_top1"]
    assert (matrix.hits / matrix.support).tolist() == pytest.approx(entry["recall"], abs=1e-12)
    averages = matrix.averages()
    for name in ("macro_precision", "macro_recall", "macro_f1"):
        assert averages[name] == pytest.approx(entry[name], abs=1e-12)
    assert averages["weighted_recall"] == pytest.approx(entry["top1"], abs=1e-12)


@needs_shared
def test_there_are_reference_figures() -> None:
    assert len(reference_cases()) == 4


def test_how_many_are_drawn_at_a_time_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = ConfusionMatrix(np.array([[30, 10, 2], [5, 15, 0], [1, 3, 8]]))
    whole = matrix.bootstrap(50, 1)
    monkeypatch.setattr("tasks.metrics.confusion.DRAWN_AT_A_TIME", 30)
    parts = matrix.bootstrap(50, 1)
    assert all(np.array_equal(whole[name], parts[name]) for name in whole)
