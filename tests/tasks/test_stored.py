from pathlib import Path

import numpy as np
import pytest

from shards.errors import InputError, ShardError
from shards.store import Store
from tasks.stored import (
    StoredScoring,
    find_scored,
    finished_nights,
    has_scores,
    newest_night,
    prediction_tables,
    score_tables,
)
from tests.support.stored import logits, outcome_of, pair_name, store_evaluation, store_night

TARGETS = np.arange(30) % 3
PAIR = pair_name("m")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.at(tmp_path)


def evaluated(store: Store, version: str, **how: object) -> StoredScoring:
    scores = logits(TARGETS, 3, skill=1, seed=int(version))
    return store_evaluation(
        store, PAIR, scores, TARGETS.tolist(), version=version, per_shard=8, **how
    )


def test_without_an_id_it_is_the_newest_night_that_has_the_pair(store: Store) -> None:
    first, second = evaluated(store, "1"), evaluated(store, "2")
    store_night(store, 1, outcome_of(second))
    store_night(store, 2, outcome_of(first))
    store_night(store, 3, outcome_of(second, scoring=None, state="incomplete"))
    assert find_scored(store, "made/test/m") == first


def test_an_id_is_a_night_or_an_evaluation(store: Store) -> None:
    first, second = evaluated(store, "1"), evaluated(store, "2")
    night = store_night(store, 1, outcome_of(second))
    assert find_scored(store, f"made/test/m@{night.name}") == second
    assert find_scored(store, f"made/test/m@{first.evaluation.id}") == first


def test_the_only_evaluation_needs_no_night(store: Store) -> None:
    only = evaluated(store, "1")
    assert find_scored(store, "made/test/m") == only


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("made/test", "names no evaluation; write DATASET/SPLIT/MODEL"),
        ("made/test/Ä", "names no evaluation"),
        ("made/test/other", "has no evaluation of made/test/other"),
        ("made/test/m", "several evaluations; add one of @em1d1, @em2d1"),
        ("made/test/m@gone", "'gone' is no stored night and no evaluation of made/test/m"),
    ],
)
def test_what_is_not_there_is_one_clear_error(store: Store, reference: str, words: str) -> None:
    evaluated(store, "1")
    evaluated(store, "2")
    with pytest.raises(InputError, match=words):
        find_scored(store, reference)


def test_a_night_without_figures_of_the_pair_is_said_to_have_none(store: Store) -> None:
    stored = evaluated(store, "1")
    night = store_night(store, 1, outcome_of(stored, scoring=None, state="incomplete"))
    with pytest.raises(InputError, match="has no figures of made/test/m"):
        find_scored(store, f"made/test/m@{night.name}")


def test_a_night_that_was_cut_off_is_not_listed(store: Store) -> None:
    night = store_night(store, 1, outcome_of(evaluated(store, "1")))
    store.publish("nights/20270101t000000z-cut/index.html", b"")
    assert finished_nights(store) == [night.name]


def test_a_folder_that_a_person_put_beside_the_nights_is_none(store: Store) -> None:
    """Whoever reads the time of a night from its name would fail on it."""
    night = store_night(store, 1, outcome_of(evaluated(store, "1")))
    store.publish("nights/before-the-move/night.json", night.to_json())
    assert finished_nights(store) == [night.name]


def test_quick_looks_are_found_by_their_id_alone(store: Store) -> None:
    whole = evaluated(store, "1")
    store_night(store, 1, outcome_of(whole))
    quick = store_night(store, 2, outcome_of(evaluated(store, "2", quick=1)), quick=1)
    assert find_scored(store, "made/test/m") == whole
    assert find_scored(store, f"made/test/m@{quick.name}").evaluation.quick == 1
    found = newest_night(store, "made")
    assert found is not None
    assert found.quick is None


def test_a_quick_evaluation_is_not_the_only_one(store: Store) -> None:
    quick = evaluated(store, "2", quick=1)
    with pytest.raises(InputError, match="has no evaluation of made/test/m but the quick looks @"):
        find_scored(store, "made/test/m")
    whole = evaluated(store, "1")
    assert find_scored(store, "made/test/m") == whole
    assert find_scored(store, f"made/test/m@{quick.evaluation.id}") == quick


def test_tables_come_per_shard_and_in_order(store: Store) -> None:
    stored = evaluated(store, "1")
    tables = list(prediction_tables(store, stored.evaluation))
    assert [table.num_rows for table in tables] == [8, 8, 8, 6]
    keys = [key for table in tables for key in table["key"].to_pylist()]
    assert keys == [f"{row:05d}" for row in range(30)]
    scores = [row for table in score_tables(store, stored.evaluation) for row in table["key"]]
    assert [key.as_py() for key in scores] == keys
    assert has_scores(store, stored.evaluation)


def test_missing_and_damaged_files_are_named(store: Store, tmp_path: Path) -> None:
    stored = evaluated(store, "1", keep_scores=False)
    assert not has_scores(store, stored.evaluation)
    with pytest.raises(ShardError, match=r"scores/.*\.parquet is missing"):
        list(score_tables(store, stored.evaluation))
    (tmp_path / stored.evaluation.predictions[1]).write_bytes(b"PAR1")
    with pytest.raises(ShardError, match="is not readable"):
        list(prediction_tables(store, stored.evaluation))
