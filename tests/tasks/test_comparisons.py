from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shards.errors import InputError, ShardError
from shards.store import Store
from tasks.comparisons import CHANGED, compare_stored, read_comparison, store_comparison
from tasks.stored import StoredScoring
from tasks.targets.overlay import TargetOverlay
from tasks.targets.rescoring import rescore
from tests.support.stored import logits, pair_name, store_evaluation

TARGETS = np.arange(60) % 3
KEYS = [f"k{row}" for row in range(60)]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.at(tmp_path)


def evaluated(store: Store, model: str, seed: int, **how: object) -> StoredScoring:
    scores = logits(TARGETS, 3, skill=1, seed=seed)
    return store_evaluation(store, pair_name(model), scores, TARGETS.tolist(), **how)


def test_other_shards_of_the_same_images_are_paired(store: Store) -> None:
    old = evaluated(store, "old", 1, per_shard=7)
    new = evaluated(store, "new", 2, per_shard=25, dataset_version="d2")
    found, changed = compare_stored(store, old, new)
    assert (found.paired, found.matched_by, found.n) == (True, "images", 60)
    assert found.both_right + found.broken == round(old.scoring.metric("top1").value * 60)
    assert changed.num_rows == found.fixed + found.broken > 0


def test_a_comparison_is_kept_and_read(store: Store, tmp_path: Path) -> None:
    old, new = evaluated(store, "old", 1), evaluated(store, "new", 2)
    found, changed = compare_stored(store, old, new)
    folder = store_comparison(store, found, changed)
    assert folder == f"comparisons/made/test/new/{found.id}"
    assert read_comparison(store, pair_name("new"), found.id) == found
    assert pq.read_table(tmp_path / folder / CHANGED).num_rows == changed.num_rows
    with pytest.raises(ShardError, match=r"comparison\.json is missing"):
        read_comparison(store, pair_name("new"), "gone")


def test_other_images_are_matched_by_what_is_still_there(store: Store, tmp_path: Path) -> None:
    old = evaluated(store, "old", 1, keys=KEYS)
    new = evaluated(store, "new", 2, keys=[*KEYS[:50], *(f"n{row}" for row in range(10))])
    assert compare_stored(store, old, new)[0].matched_by == "key"
    folder = tmp_path / new.evaluation.shards_folder
    folder.mkdir(parents=True)
    everything = sorted({*KEYS, *(f"n{row}" for row in range(10))})
    pq.write_table(pa.table({"key": everything, "sha256": everything}), folder / "samples.parquet")
    found, _ = compare_stored(store, old, new)
    assert (found.matched_by, found.common, found.only_candidate) == ("sha256", 50, 10)


def test_what_cannot_be_compared_is_refused(store: Store) -> None:
    old = evaluated(store, "old", 1)
    elsewhere = store_evaluation(
        store, pair_name("m", dataset="other"), logits(TARGETS, 3, 1, 1), TARGETS.tolist()
    )
    with pytest.raises(InputError, match="different datasets or splits"):
        compare_stored(store, old, elsewhere)
    wider = store_evaluation(store, pair_name("w"), logits(TARGETS, 4, 1, 1), TARGETS.tolist())
    with pytest.raises(InputError, match="different class lists"):
        compare_stored(store, old, wider)


def test_corrected_targets_of_the_candidate_count_for_both(store: Store) -> None:
    old, new = evaluated(store, "old", 1), evaluated(store, "new", 2)
    wrong = {f"{row:05d}": [(target + 1) % 3] for row, target in enumerate(TARGETS.tolist())}
    overlay = TargetOverlay.of(wrong, "corrected", file="corrected.csv")
    rescored = StoredScoring(new.evaluation, rescore(store, new, overlay))
    found, _ = compare_stored(store, old, rescored)
    assert (found.targets_file, found.retargeted) == ("corrected.csv", 0)
    assert found.both_right + found.fixed == rescored.scoring.metric("top1").hits
    assert found.both_right + found.broken == rescore(store, old, overlay).metric("top1").hits
    assert found.id != compare_stored(store, old, new)[0].id


def test_of_several_acceptable_labels_each_side_may_have_another(store: Store) -> None:
    old, new = evaluated(store, "old", 1), evaluated(store, "new", 2)
    every = {f"{row:05d}": [0, 1, 2] for row in range(30)}
    overlay = TargetOverlay.of(every, "acceptable", file="real.json")
    rescored = StoredScoring(new.evaluation, rescore(store, new, overlay))
    found, _ = compare_stored(store, old, rescored)
    assert found.both_right + found.broken == rescore(store, old, overlay).metric("top1").hits
    assert found.both_right + found.fixed == rescored.scoring.metric("top1").hits
    assert found.retargeted == 0


def test_damaged_digests_of_shards_are_one_sentence(store: Store, tmp_path: Path) -> None:
    old = evaluated(store, "old", 1, keys=KEYS)
    new = evaluated(store, "new", 2, keys=[*KEYS[:50], *(f"n{row}" for row in range(10))])
    folder = tmp_path / new.evaluation.shards_folder
    folder.mkdir(parents=True)
    (folder / "samples.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(ShardError, match=r"samples\.parquet is not readable"):
        compare_stored(store, old, new)
