import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from shards.errors import ShardError
from shards.store import Store
from tasks.metrics.curves import SCHEMA as CURVES
from tasks.metrics.spec import ScoringSpec
from tasks.stored import StoredScoring
from tasks.targets.overlay import TargetOverlay
from tasks.targets.rescoring import rescore, score_and_publish
from tasks.targets.rows import retargeted_tables
from tests.tasks.targets.evaluated import CLASSES, PAIR, SCORES, TARGETS, evaluated

CORRECTED = TARGETS.copy()
CORRECTED[20] = (TARGETS[20] + 1) % CLASSES


def sliced(store: Store) -> tuple[StoredScoring, ScoringSpec]:
    """A stored evaluation, its samples, and wishes for slices of them."""
    stored = evaluated(store)
    light = ["dusk" if row % 3 else "day" for row in range(len(TARGETS))]
    samples = pa.table({"key": [f"{row:05d}" for row in range(len(TARGETS))], "light": light})
    folder = Path(store.root) / stored.evaluation.shards_folder
    folder.mkdir(parents=True)
    pq.write_table(samples, folder / "samples.parquet")
    spec = ScoringSpec.model_validate(
        {
            "top_k": [2],
            "slices": [{"field": "light", "min_size": 30}],
            "class_groups": {"low": ["class 0", "id0001"]},
        }
    )
    return stored, spec


def test_slices_are_scored_and_asked_for_again(store: Store) -> None:
    stored, spec = sliced(store)
    parts = list(retargeted_tables(store, stored.evaluation, None))
    found = score_and_publish(store, stored.evaluation, stored.scoring.classes, parts, None, spec)
    right = SCORES.argmax(axis=1) == TARGETS
    dusk = np.arange(len(TARGETS)) % 3 > 0
    by_name = {(m.slice, m.name): m for m in found.slices}
    assert by_name["light=dusk", "top1"].value == right[dusk].mean()
    assert (by_name["light=day", "top1"].state, by_name["light=day", "top1"].n) == ("too_small", 20)
    assert by_name["class_group=low", "top2"].n == np.isin(TARGETS, [0, 1]).sum()
    assert found.id != stored.scoring.id
    # Rescoring repeats what the plan asked for, under other targets.
    again = rescore(store, StoredScoring(stored.evaluation, found), None)
    assert again == found
    other = rescore(
        store,
        StoredScoring(stored.evaluation, found),
        TargetOverlay.of({"00020": [int(CORRECTED[20])]}, "corrected"),
    )
    new = {(m.slice, m.name): m for m in other.slices}
    assert new["light=dusk", "top1"].hits == (SCORES.argmax(axis=1) == CORRECTED)[dusk].sum()


def test_slices_without_the_samples_say_what_to_do(store: Store) -> None:
    stored, spec = sliced(store)
    (Path(store.root) / stored.evaluation.shards_folder / "samples.parquet").unlink()
    asked = stored.scoring.model_copy(update={"spec": spec})
    with pytest.raises(ShardError, match=r"samples\.parquet is missing; build the shards again"):
        rescore(store, StoredScoring(stored.evaluation, asked), None)


def test_curves_are_kept_beside_the_figures(store: Store) -> None:
    stored = evaluated(store)
    folder = PAIR.scoring(stored.scoring.id)
    points = pq.read_table(io.BytesIO(store.read(f"{folder}/curves.parquet")))
    assert points.schema.equals(CURVES)
    assert set(points["class"].to_pylist()) == set(TARGETS.tolist())
    exact = SCORES.astype(np.float64)
    scores = np.exp(exact) / np.exp(exact).sum(axis=1, keepdims=True)
    for index in range(CLASSES):
        found = {m.name: m.value for m in stored.scoring.of_class(index)}
        assert found["auroc"] == pytest.approx(roc_auc_score(index == TARGETS, scores[:, index]))
        assert found["average_precision"] == pytest.approx(
            average_precision_score(index == TARGETS, scores[:, index])
        )


def test_without_scores_the_curves_say_so(store: Store) -> None:
    stored = evaluated(store, keep_scores=False)
    assert {m.state for m in stored.scoring.per_class if m.name == "auroc"} == {"needs_scores"}
    assert not store.exists(f"{PAIR.scoring(stored.scoring.id)}/curves.parquet")


def test_a_file_of_scores_that_is_cut_off_is_named(store: Store) -> None:
    stored = evaluated(store)
    path = stored.evaluation.predictions[-1].replace("predictions/", "scores/", 1)
    part = pq.read_table(io.BytesIO(store.read(path)), partitioning=None).slice(1)
    pq.write_table(part, Path(store.root) / path)
    with pytest.raises(ShardError, match="one row for each of 60 samples; remove it"):
        rescore(store, stored, None)
