"""All checks of a stored evaluation; what cannot be checked says why and what to do."""

from pathlib import Path

import numpy as np
import pytest

from shards.store import Store
from tasks.health.copies import FoundCopies
from tasks.health.examination import Training, examine
from tasks.health.finding import TITLES, Finding
from tasks.health.kept import read_copies, write_copies
from tasks.health.leakage import Effect
from tasks.health.pairing import find_copies
from tasks.health.reading import StoredRows
from tasks.stored import StoredScoring
from tests.support.stored import logits, pair_name, store_evaluation
from tests.tasks.health.images import scenes, signed

CLASSES = 10


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.at(tmp_path)


def stored(store: Store, dataset: str = "made", **options: object) -> StoredScoring:
    targets = np.tile(np.arange(CLASSES), 30)
    scores = logits(targets, CLASSES, skill=3.0, seed=len(dataset))
    kept: list[int | None] = targets.tolist()
    kept[3] = None
    pair = pair_name("m", dataset)
    return store_evaluation(store, pair, scores, kept, dataset_version=dataset, **options)


def copies(n: int = 4) -> FoundCopies:
    """Of images 00000, 00001 … the first two are in training."""
    images = scenes(n)
    signatures = signed(images, "0000")
    return find_copies(signatures, [signed(images[:2], "t")], "a", "b")


def by_check(findings: tuple[Finding, ...]) -> dict[str, Finding]:
    return {finding.check: finding for finding in findings}


def test_every_check_has_one_finding_and_its_reason(store: Store) -> None:
    found = by_check(examine(StoredRows(store, stored(store)), None, None))
    assert set(found) == set(TITLES)
    not_run = {check for check, finding in found.items() if not finding.checked}
    assert not_run == {"overfitting", "leakage", "duplicates"}
    assert "`train`" in found["leakage"].advice
    assert "nightmark leakage" in found["duplicates"].advice


def test_without_scores_labels_are_not_checked(store: Store) -> None:
    rows = StoredRows(store, stored(store, keep_scores=False))
    labels = by_check(examine(rows, None, None))["label_errors"]
    assert not labels.checked
    assert "keep_scores" in labels.advice


def test_a_model_that_was_not_evaluated_on_its_training_images_says_so(store: Store) -> None:
    training = Training("seen/train", copies())
    found = by_check(examine(StoredRows(store, stored(store)), training, None))
    assert not found["overfitting"].checked
    assert "was not evaluated on seen/train" in found["overfitting"].sentence
    assert found["leakage"].checked


def test_the_effect_of_copies_on_the_score_is_counted(store: Store) -> None:
    rows = StoredRows(store, stored(store))
    training = Training("seen/train", copies(), stored(store, "seen").scoring)
    found = by_check(examine(rows, training, copies()))
    assert found["overfitting"].checked
    (change,) = found["leakage"].evidence.changes
    ours, theirs = change.tallies
    assert (ours.n, theirs.n) == (2, 297)
    assert ours.hits + theirs.hits == rows.stored.scoring.metric("top1").hits
    assert "2 images of 4 (50.0 %" in found["leakage"].sentence
    assert "equal pixels" in found["duplicates"].sentence


def test_a_fault_in_training_is_told(store: Store) -> None:
    rows = StoredRows(store, stored(store))
    found = by_check(examine(rows, Training("seen/train", fault="it is gone"), None))
    assert found["leakage"].sentence == "Not checked: it is gone"


def test_unlabelled_and_failed_samples_have_no_label_to_doubt(store: Store) -> None:
    errors = ["broken" if row == 5 else None for row in range(300)]
    rows = StoredRows(store, stored(store, errors=errors))
    keys = [key for part in rows for key in part.keys]
    assert len(keys) == 298
    assert {"00003", "00005"}.isdisjoint(keys)
    assert sum(len(part.keys) for part in rows) == 298, "it can be gone through again"


def test_effects_are_counted_by_key() -> None:
    found = Effect.of({"a", "c"}, {"a", "b", "c", "d"}, {"a", "b", "z"})
    assert (found.copied.hits, found.copied.n, found.rest.hits, found.rest.n) == (1, 2, 1, 2)


def test_copies_survive_their_files(store: Store) -> None:
    found = copies()
    assert read_copies(store, found.record.id) is None
    write_copies(store, found)
    again = read_copies(store, found.record.id)
    assert again is not None
    assert again.record == found.record
    assert again.pairs.equals(found.pairs)
