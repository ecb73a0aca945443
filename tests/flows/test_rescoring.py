"""``nightmark rescore``, and a night under targets that its plan corrects."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from shards.store import Store
from tasks.stored import finished_nights, read_night
from tests.support.stored import logits, outcome_of, pair_name, store_evaluation, store_night

Command = Callable[..., int]
SMALL = Path(__file__).parents[1] / "plans" / "small.yaml"
TARGETS = np.arange(60) % 6
PAIR = pair_name("m")


@pytest.fixture
def stored(root: Path) -> Path:
    """Sixty images of which the model is right on all, in the newest night; no shards at all."""
    scores = logits(TARGETS, 6, skill=20, seed=1)
    found = store_evaluation(Store.at(root), PAIR, scores, TARGETS.tolist(), per_shard=20)
    store_night(Store.at(root), 1, outcome_of(found))
    return root


def corrected(folder: Path, *rows: int) -> Path:
    file = folder / "fixed.csv"
    lines = [f"{row:05d},class {(TARGETS[row] + 1) % 6}\n" for row in rows]
    file.write_text("key,label\n" + "".join(lines))
    return file


def figures(root: Path) -> list[tuple[int, bool]]:
    """Right predictions and whether targets were overlaid, of every scoring."""
    found = [json.loads(path.read_bytes()) for path in root.glob("scorings/*/*/*/*/metrics.json")]
    return sorted((s["overall"][0]["hits"], s["overlaid"] is not None) for s in found)


def test_old_and_new_figures_stand_side_by_side(
    stored: Path, nightmark: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = corrected(tmp_path, 0, 7, 8)
    assert nightmark("rescore", "made/test/m", "--targets", file) == 0
    said = capsys.readouterr().out
    assert "100.0 % [94.0, 100.0]" in said
    assert "95.0 % [86.3, 98.3]" in said
    assert "−5.00 points" in said
    assert "corrected labels of fixed.csv for 3 images: 3 of them show something else" in said
    assert "no model was loaded and no shard was read" in said
    assert figures(stored) == [(57, True), (60, False)]


def test_without_a_file_the_targets_stay_those_of_the_stored_figures(
    stored: Path, nightmark: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert nightmark("rescore", "made/test/m") == 0
    assert "none" in capsys.readouterr().out
    assert figures(stored) == [(60, False)]


def test_a_plan_rescores_all_of_its_pairs_and_tells_the_verdicts(
    stored: Path, nightmark: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corrected(tmp_path, *range(20))
    plan = tmp_path / "plan.yaml"
    place = {"split": "test", "source": "folder", "location": "gone"}
    tree = {
        "name": "made",
        "datasets": [{"name": "made", **place, "targets": {"file": "fixed.csv"}}],
        "models": [
            {"name": "m", "loader": "timm:resnet18"},
            {"name": "new", "loader": "timm:resnet18"},
        ],
        "gates": [{"metric": "top1", "min": 0.9}],
    }
    plan.write_text(yaml.safe_dump(tree))
    assert nightmark("rescore", plan) == 0
    found = capsys.readouterr()
    assert [word for word in found.out.split() if word in {"passed", "failed", "changed"}] == [
        "passed",
        "failed",
        "changed",
    ]
    assert "left out" in found.err
    assert "has no evaluation of made/test/new" in found.err
    assert figures(stored) == [(40, True), (60, False)]


def test_old_figures_that_lack_what_a_gate_asks_for_are_not_judged(
    stored: Path, nightmark: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = tmp_path / "plan.yaml"
    tree = {
        "name": "made",
        "datasets": [{"name": "made", "split": "test", "source": "folder", "location": "gone"}],
        "models": [{"name": "m", "loader": "timm:resnet18"}],
        "gates": [{"metric": "top3", "min": 0.9}],
        "top_k": [3],
    }
    plan.write_text(yaml.safe_dump(tree))
    assert nightmark("rescore", plan) == 0
    (line,) = [row for row in capsys.readouterr().out.splitlines() if row.startswith("Verdict")]
    assert line.split() == ["Verdict", "not", "judged", "passed"]


def test_gates_on_the_change_are_judged_against_the_baseline(
    stored: Path, nightmark: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The baseline is right everywhere, the candidate seldom; the same labels hold for both."""
    nightmark("pin", "made/test/m", "--why", "in use", "--who", "Ada")
    scores = logits(TARGETS, 6, skill=0, seed=2)
    found = store_evaluation(Store.at(stored), PAIR, scores, TARGETS.tolist(), version="2")
    store_night(Store.at(stored), 2, outcome_of(found))
    tree = {
        "name": "made",
        "datasets": [{"name": "made", "split": "test", "source": "folder", "location": "gone"}],
        "models": [{"name": "m", "loader": "timm:resnet18"}],
        "gates": [{"metric": "top1", "max_drop": 0.01}],
    }
    plan = tmp_path / "plan.yaml"
    plan.write_text(yaml.safe_dump(tree))
    capsys.readouterr()
    assert nightmark("rescore", plan) == 0
    (line,) = [row for row in capsys.readouterr().out.splitlines() if row.startswith("Verdict")]
    assert line.split() == ["Verdict", "failed", "failed"]


def test_the_baseline_is_judged_under_the_corrected_targets_too(
    stored: Path, nightmark: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    worse = logits(TARGETS, 6, skill=20, seed=1)
    worse[:30] = -worse[:30]
    store_evaluation(Store.at(stored), pair_name("old"), worse, TARGETS.tolist())
    assert nightmark("pin", "made/test/old", "--for", "m", "--why", "in use") == 0
    corrected(tmp_path, *range(20))
    place = {"split": "test", "source": "folder", "location": "gone"}
    tree = {
        "name": "made",
        "datasets": [{"name": "made", **place, "targets": {"file": "fixed.csv"}}],
        "models": [{"name": "m", "loader": "timm:resnet18"}],
        "gates": [{"metric": "top1", "min_gain": 0.4, "policy": "point"}],
    }
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(tree))
    capsys.readouterr()
    assert nightmark("rescore", tmp_path / "plan.yaml") == 0
    # 30 of 60 better under the old targets; under the new ones 20 of those are wrong as well.
    said = [w for w in capsys.readouterr().out.split() if w in {"passed", "failed", "changed"}]
    assert said == ["passed", "failed", "changed"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("made/test/m", "--targets", "FILE"), "such as x9, is a sample of made/test"),
        (
            ("made/test/m", "--targets", "FILE", "--kind", "odd"),
            "allowed are corrected, acceptable",
        ),
        (("made/test/other",), "no evaluation of made/test/other"),
        (("plan.yaml", "--targets", "FILE"), "write `targets` into its datasets"),
    ],
)
def test_what_cannot_be_rescored_is_one_sentence_and_exit_code_2(
    stored: Path,
    nightmark: Command,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    said: str,
) -> None:
    file = tmp_path / "fixed.csv"
    file.write_text("key,label\nx9,0\n")
    assert nightmark("rescore", *(str(file) if word == "FILE" else word for word in words)) == 2
    assert said in capsys.readouterr().err
    assert figures(stored) == [(60, False)]


def test_targets_of_the_plan_stay_corrected_the_next_night(
    root: Path, nightmark: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("foolbox")
    nightmark("night", SMALL)
    (scoring,) = read_night(Store.at(root), finished_nights(Store.at(root))[-1])[1].values()
    predictions = sorted(root.glob("predictions/**/*.parquet"))
    row = pq.read_table(predictions[0]).to_pylist()[0]
    file = tmp_path / "fixed.json"
    file.write_text(json.dumps({row["key"]: row["topk"][-1]}))
    under = ("--set", f"datasets.0.targets={{file: {file}}}")
    for _ in range(2):
        nightmark("night", SMALL, *under)
    store = Store.at(root)
    first, second, third = (read_night(store, name) for name in finished_nights(store))
    assert first[0].work.computed > 0
    assert second[0].work.computed == third[0].work.computed == 0
    (corrected_once,), (corrected_twice,) = second[1].values(), third[1].values()
    assert corrected_once == corrected_twice
    assert corrected_once.overlaid is not None
    assert corrected_once.overlaid.changed == 1
    hits = scoring.metric("top1").hits or 0
    assert corrected_once.metric("top1").hits == hits - int(row["target_rank"] == 0)
    assert corrected_once.metric("nll").value != scoring.metric("nll").value
    page = root / "nights" / third[0].name / "cifar10/test/resnet8/report.html"
    assert "corrected labels of fixed.json for 1 image" in page.read_text()
    assert "corrected labels of fixed.json" in capsys.readouterr().out
