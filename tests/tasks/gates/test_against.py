from pathlib import Path

import numpy as np
import pytest

from shards.store import Store
from tasks.gates.against import against_baseline
from tasks.gates.decisions import Decision, new_id, record
from tasks.predictions.evaluation import part_alike
from tasks.stored import StoredScoring, read_evaluation
from tests.support.stored import EPOCH, logits, pair_name, store_evaluation

TARGETS = np.arange(200) % 4


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.at(tmp_path)


def evaluated(store: Store, version: str, skill: float, model: str = "net") -> StoredScoring:
    scores = logits(TARGETS, 4, skill=skill, seed=int(version))
    return store_evaluation(store, pair_name(model), scores, TARGETS.tolist(), version=version)


def pin(store: Store, stored: StoredScoring, model: str = "net") -> None:
    pair = stored.evaluation.pair
    decision = Decision(
        id=new_id(EPOCH),
        kind="pin",
        pair=pair.model_copy(update={"model": model}),
        time=EPOCH,
        who="Ada",
        why="so",
        evaluation=stored.evaluation.id,
        scoring=stored.scoring.id,
        evaluated=pair,
    )
    record(store, decision)


def test_without_a_decision_there_is_no_baseline(store: Store) -> None:
    assert against_baseline(store, evaluated(store, "1", 1)) is None


def test_a_candidate_is_compared_once_and_the_comparison_is_kept(store: Store) -> None:
    pin(store, evaluated(store, "1", 1))
    candidate = evaluated(store, "2", 3)
    found = against_baseline(store, candidate)
    assert found is not None
    assert found.comparison is not None
    assert found.note.state == "compared"
    assert found.note.sentence.startswith("Against the baseline net (enet1d1): top-1 +")
    assert "% of the images." in found.note.sentence
    path = Path(store.root) / f"comparisons/made/test/net/{found.note.comparison}/comparison.json"
    before = path.stat().st_mtime_ns
    assert against_baseline(store, candidate) == found
    assert path.stat().st_mtime_ns == before


def test_the_baseline_itself_is_unchanged(store: Store) -> None:
    stored = evaluated(store, "1", 1)
    pin(store, stored)
    found = against_baseline(store, stored)
    assert found is not None
    assert (found.note.state, found.comparison) == ("unchanged", None)


def test_another_model_may_be_the_baseline(store: Store) -> None:
    pin(store, evaluated(store, "1", 1, model="old"), model="net")
    found = against_baseline(store, evaluated(store, "1", 2))
    assert found is not None
    assert (found.note.state, found.note.baseline.model) == ("compared", "old")


def test_a_baseline_that_is_gone_is_told_and_not_raised(store: Store) -> None:
    stored = evaluated(store, "1", 1)
    pin(store, stored)
    (Path(store.root) / stored.evaluation.predictions[1]).unlink()
    found = against_baseline(store, evaluated(store, "2", 2))
    assert found is not None
    assert (found.note.state, found.comparison) == ("impossible", None)
    assert "cannot be compared: " in found.note.sentence
    assert ".parquet is missing" in found.note.sentence
    assert "`nightmark revoke` drops it" in found.note.sentence


def test_a_quick_look_meets_the_same_part_of_the_baseline(store: Store) -> None:
    pin(store, evaluated(store, "1", 1))
    scores = logits(TARGETS, 4, skill=3, seed=2)[:100]
    quick = store_evaluation(
        store, pair_name("net"), scores, TARGETS[:100].tolist(), version="2", quick=1
    )
    found = against_baseline(store, quick)
    assert found is not None
    assert found.comparison is not None
    assert found.comparison.paired
    assert (found.comparison.common, found.comparison.only_baseline) == (100, 0)
    part = read_evaluation(store, pair_name("net"), found.comparison.baseline.evaluation)
    assert part.quick == 1
    assert len(part.predictions) == 1


def test_a_quick_look_at_the_baseline_itself_is_unchanged(store: Store) -> None:
    whole = evaluated(store, "1", 1)
    pin(store, whole)
    candidate = whole.evaluation.model_copy(update={"quick": 1})
    part = part_alike(whole.evaluation, candidate)
    assert part.id != whole.evaluation.id
    assert part_alike(part, candidate) is part
    found = against_baseline(store, StoredScoring(part, whole.scoring))
    assert found is not None
    assert (found.note.state, found.note.evaluation) == ("unchanged", whole.evaluation.id)
