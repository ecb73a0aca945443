from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    log_loss,
    precision_score,
    recall_score,
    top_k_accuracy_score,
)

from shards.errors import InputError, ShardError
from shards.store import Store
from tasks.metrics.point_check import ClassThreshold
from tasks.metrics.spec import ScoringSpec
from tasks.metrics.threshold import Wanted
from tasks.stored import StoredScoring, find_scored, read_scoring
from tasks.targets.overlay import TargetOverlay
from tasks.targets.rescoring import rescore
from tasks.targets.rows import rows_under_targets, stored_overlay
from tests.support.shared_data import SHARED, needs_shared
from tests.support.stored import store_evaluation
from tests.tasks.targets.evaluated import CLASSES, PAIR, SCORES, TARGETS, evaluated

NEW = TARGETS.copy()
NEW[[3, 20, 41]] = [(TARGETS[row] + 1) % CLASSES for row in (3, 20, 41)]


def corrected(*rows: int, subset: bool = False, more: tuple[str, ...] = ()) -> TargetOverlay:
    labels = {f"{row:05d}": [int(NEW[row])] for row in rows}
    return TargetOverlay.of(
        {**labels, **{key: [0] for key in more}}, "corrected", file="fixed.csv", subset=subset
    )


def test_a_corrected_evaluation_has_the_figures_of_scikit_learn(store: Store) -> None:
    stored = evaluated(store)
    found = rescore(store, stored, corrected(3, 20, 41))
    predicted = SCORES.argmax(axis=1)
    assert found.metric("top1").value == accuracy_score(NEW, predicted)
    assert found.metric("macro_recall").value == pytest.approx(
        recall_score(NEW, predicted, average="macro"), abs=1e-12
    )
    matrix = np.zeros((CLASSES, CLASSES), dtype=int)
    for target, prediction, count in found.confusion:
        matrix[target, prediction] = count
    assert matrix.tolist() == confusion_matrix(NEW, predicted).tolist()
    assert found.metric("nll").state == "defined"


def test_old_figures_stay_beside_the_new_and_the_new_say_what_was_laid_over(store: Store) -> None:
    stored = evaluated(store)
    found = rescore(store, stored, corrected(3, 20, 5))
    assert found.id != stored.scoring.id
    assert found.targets_digest != stored.scoring.targets_digest
    assert found.evaluation == stored.scoring.evaluation
    assert read_scoring(store, PAIR, stored.scoring.id) == stored.scoring
    assert read_scoring(store, PAIR, found.id) == found
    said = found.overlaid
    assert said is not None
    assert (said.file, said.kind, said.named, said.changed) == ("fixed.csv", "corrected", 3, 2)
    # Without a night the dataset's own targets are what a reference means.
    assert find_scored(store, "made/test/m").scoring == stored.scoring


def test_another_overlay_is_another_scoring_and_the_same_one_is_the_same(store: Store) -> None:
    stored = evaluated(store)
    first, again = (rescore(store, stored, corrected(3, 20)) for _ in range(2))
    assert first == again
    assert rescore(store, stored, corrected(3)).id != first.id


def test_without_an_overlay_the_same_figures_come_back(store: Store) -> None:
    stored = evaluated(store)
    assert rescore(store, stored, None) == stored.scoring


def test_top_k_alone_is_enough_for_all_but_the_losses(store: Store) -> None:
    stored = evaluated(store, keep_scores=False)
    worst = {f"{row:05d}": [int(SCORES[row].argmin())] for row in (0, 1)}
    found = rescore(store, stored, TargetOverlay.of(worst, "corrected"))
    whole = rescore(store, evaluated(store), TargetOverlay.of(worst, "corrected"))
    assert [found.metric(name) for name in ("top1", "top5", "macro_f1")] == [
        whole.metric(name) for name in ("top1", "top5", "macro_f1")
    ]
    assert {found.metric(name).state for name in ("nll", "brier")} == {"needs_scores"}
    assert found.overlaid is not None
    assert found.overlaid.unscored == 2


def test_images_without_an_acceptable_label_leave_n_and_are_counted(store: Store) -> None:
    stored = evaluated(store)
    overlay = TargetOverlay.of({"00000": [], "00001": [0, 1]}, "acceptable")
    found = rescore(store, stored, overlay)
    assert (found.n, found.unlabelled) == (59, 1)
    assert found.overlaid is not None
    assert found.overlaid.left_out == 1


def test_keys_that_the_dataset_lacks_are_an_error_unless_it_is_a_subset(store: Store) -> None:
    stored = evaluated(store)
    with pytest.raises(InputError, match=r"fixed\.csv: x9 is no sample of made/test \(1 of 2 keys"):
        rescore(store, stored, corrected(3, more=("x9",)))
    assert not store.names("targets/made/test")
    found = rescore(store, stored, corrected(3, more=("x9",), subset=True))
    assert found.overlaid is not None
    assert (found.overlaid.foreign, found.overlaid.named) == (1, 1)


def test_a_file_for_another_dataset_is_an_error_even_for_a_subset(store: Store) -> None:
    overlay = corrected(subset=True, more=("x1", "x2"))
    words = "none of the 2 keys, such as x1, is a sample of made/test, whose keys look like 00000"
    with pytest.raises(InputError, match=words):
        rescore(store, evaluated(store), overlay)


def test_the_overlay_of_a_scoring_is_kept_and_read_back(store: Store, tmp_path: Path) -> None:
    stored = evaluated(store)
    overlay = corrected(3, 20)
    found = rescore(store, stored, overlay)
    kept = stored_overlay(store, found)
    assert kept is not None
    assert (kept.digest, kept.kind, kept.file) == (overlay.digest, "corrected", "fixed.csv")
    assert stored_overlay(store, stored.scoring) is None
    assert rescore(store, stored, kept) == found
    path = tmp_path / overlay.path(PAIR.split)
    path.write_bytes(b"PAR1")
    with pytest.raises(ShardError, match=r"targets/made/test/.* is not readable"):
        stored_overlay(store, found)
    path.unlink()
    with pytest.raises(ShardError, match="is missing; give the file of targets again"):
        stored_overlay(store, found)


def test_a_copy_with_other_labels_is_refused(store: Store, tmp_path: Path) -> None:
    stored = evaluated(store)
    found, other = (rescore(store, stored, corrected(row)) for row in (3, 20))
    assert found.overlaid is not None
    assert other.overlaid is not None
    folder = tmp_path / "targets/made/test"
    taken = (folder / f"{other.overlaid.digest}.parquet").read_bytes()
    (folder / f"{found.overlaid.digest}.parquet").write_bytes(taken)
    with pytest.raises(ShardError, match="was altered"):
        stored_overlay(store, found)


def test_rows_under_targets_are_the_same_for_both_sides_of_a_comparison(store: Store) -> None:
    stored = evaluated(store)
    tables = list(rows_under_targets(store, stored.evaluation, corrected(3, 20, 41)))
    assert [target for table in tables for target in table["target"].to_pylist()] == NEW.tolist()
    assert [table.num_rows for table in tables] == [16, 16, 16, 12]
    own = list(rows_under_targets(store, stored.evaluation, None))
    assert [t for table in own for t in table["target"].to_pylist()] == TARGETS.tolist()


def test_thresholds_become_figures_of_their_class(store: Store) -> None:
    stored = evaluated(store)
    wanted = Wanted(metric="recall", value=0.5)
    spec = ScoringSpec(thresholds=(ClassThreshold(class_index=2, threshold=0.3, wanted=wanted),))
    found = rescore(store, stored, None, spec)
    chances = np.exp(SCORES.astype(np.float64))
    called = (chances / chances.sum(axis=1, keepdims=True))[:, 2].astype(np.float32) >= 0.3
    figures = {metric.name: metric for metric in found.of_class(2)}
    assert figures["recall_at_threshold"].value == recall_score(TARGETS == 2, called)
    assert figures["precision_at_threshold"].value == precision_score(TARGETS == 2, called)
    assert "recall_at_threshold" not in {metric.name for metric in found.of_class(1)}
    assert found.id != stored.scoring.id
    # What a scoring was asked for is computed again, under whatever targets.
    again = rescore(store, StoredScoring(stored.evaluation, found), corrected(3, 20, 41))
    (check,) = again.operating_points
    assert check.found is not None
    assert check.found.recall.value == recall_score(NEW == 2, called)


def test_a_threshold_without_scores_says_so(store: Store) -> None:
    stored = evaluated(store, keep_scores=False)
    wanted = Wanted(metric="precision", value=0.5)
    spec = ScoringSpec(thresholds=(ClassThreshold(class_index=2, threshold=0.3, wanted=wanted),))
    found = rescore(store, stored, None, spec)
    assert [check.state for check in found.operating_points] == ["undefined"]
    states = {m.name: m.state for m in found.of_class(2)}
    assert states["precision_at_threshold"] == states["recall_at_threshold"] == "needs_scores"


@needs_shared
def test_real_predictions_under_corrected_and_acceptable_labels(store: Store) -> None:
    """CIFAR-10 and another network's probabilities, against scikit-learn and a plain loop."""
    folder = SHARED / "data/label_errors"
    chances = np.load(folder / "cifar10_test_set_pyx.npy")
    truth = np.load(folder / "cifar10_test_set_original_labels.npy")
    stored = store_evaluation(
        *(store, PAIR, np.log(chances), truth.tolist()),
        keys=[f"k{row}" for row in range(10_000)],
        per_shard=1_000,
    )
    assert stored.scoring.metric("top1").hits == 9294
    assert stored.scoring.metric("top5").hits == 9974
    # The surest contradictions are corrected; and some images get the least likely label.
    predicted = chances.argmax(axis=1)
    sure = (chances.max(axis=1) > 0.99) & (predicted != truth)
    new = np.where(sure, predicted, truth)
    new[::400] = chances.argmin(axis=1)[::400]
    labels = {f"k{row}": [int(new[row])] for row in np.flatnonzero(new != truth)}
    found = rescore(store, stored, TargetOverlay.of(labels, "corrected"))
    every = list(range(10))
    exact = {
        "top1": accuracy_score(new, predicted),
        "top5": top_k_accuracy_score(new, chances, k=5, labels=every),
        "macro_recall": recall_score(new, predicted, average="macro"),
        "macro_f1": f1_score(new, predicted, average="macro"),
        "weighted_precision": precision_score(new, predicted, average="weighted"),
    }
    for name, value in exact.items():
        assert found.metric(name).value == pytest.approx(value, abs=1e-12), name
    whole = chances.astype(np.float64) / chances.sum(axis=1, keepdims=True, dtype=np.float64)
    assert found.metric("nll").value == pytest.approx(log_loss(new, whole, labels=every), abs=1e-6)
    brier = ((whole - np.eye(10)[new]) ** 2).sum(axis=1).mean()
    assert found.metric("brier").value == pytest.approx(brier, abs=1e-6)
    assert found.overlaid is not None
    assert found.overlaid.changed == (new != truth).sum() > 50
    sets = [sorted({int(truth[row]), int(new[row])}) if row % 97 else [] for row in range(10_000)]
    overlay = TargetOverlay.of({f"k{row}": sets[row] for row in range(10_000)}, "acceptable")
    real = rescore(store, stored, overlay)
    right = [predicted[row] in accepted for row, accepted in enumerate(sets) if accepted]
    assert real.metric("top1").value == np.mean(right)
    assert (real.n, real.unlabelled) == (len(right), 10_000 - len(right))
