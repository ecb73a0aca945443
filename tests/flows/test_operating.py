"""``nightmark operating-point``: from stored predictions to a file that a deployment reads."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from shards.store import Store
from tasks.stored import finished_nights, read_night
from tests.support.stored import logits, pair_name, store_evaluation

SMALL = Path(__file__).parents[1] / "plans" / "small.yaml"
Command = Callable[..., int]
TARGETS = np.arange(90) % 3
SCORES = logits(TARGETS, 3, skill=1.5, seed=1)


def store_one(root: Path, *, keep_scores: bool = True) -> None:
    store_evaluation(
        *(Store.at(root), pair_name("m"), SCORES, TARGETS.tolist()),
        per_shard=40,
        keep_scores=keep_scores,
    )


def test_a_threshold_is_told_and_written(
    root: Path, nightmark: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store_one(root)
    file = tmp_path / "otter.json"
    wish = ("--class", "class 1", "--recall", "0.9")
    assert nightmark("operating-point", "made/test/m", *wish, "--to", file) == 0
    point = json.loads(file.read_bytes())
    chances = np.exp(SCORES.astype(np.float64))
    chances /= chances.sum(axis=1, keepdims=True)
    called = chances[:, 1].astype(np.float32) >= point["threshold"]
    assert (called & (TARGETS == 1)).sum() == point["expected"]["recall"]["hits"] >= 27
    assert called.sum() == point["expected"]["precision"]["n"]
    assert (point["class_id"], point["model_fingerprint"]) == ("id0001", "fingerprint-1")
    said = capsys.readouterr().out
    assert "class 1: a recall of 90.0 % is reached by a threshold of" in said
    assert "The price: " in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--class", "class 1"), "give either --recall or --precision"),
        (("--class", "class 1", "--recall", "0.9", "--precision", "0.9"), "give either"),
        (("--class", "class 1", "--recall", "90"), "--recall 90.0: a share above 0 and up to 1"),
        (("--class", "class 1", "--recall", "1", "--confidence", "95"), "--confidence 95.0"),
        (("--class", "otter", "--recall", "0.9"), "--class otter is no class of made/test/m"),
        (("--class", "id0001", "--recall", "1", "--proven"), "30 images of it, all found, would"),
    ],
)
def test_what_cannot_be_had_is_one_sentence(
    root: Path,
    nightmark: Command,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    said: str,
) -> None:
    store_one(root)
    assert nightmark("operating-point", "made/test/m", *words) == 2
    assert said in capsys.readouterr().err


def test_without_all_probabilities_there_is_no_threshold(
    root: Path, nightmark: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    store_one(root, keep_scores=False)
    assert nightmark("operating-point", "made/test/m", "--class", "0", "--recall", "0.5") == 2
    assert "were not kept, so no threshold can be chosen" in capsys.readouterr().err


def test_the_printed_schema_is_the_committed_one(
    nightmark: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert nightmark("operating-point-schema") == 0
    committed = Path(__file__).parents[2] / "conf/operating-point.schema.json"
    assert capsys.readouterr().out == committed.read_text()


def test_every_night_checks_a_point_again_and_a_gate_may_hold_it(
    root: Path, nightmark: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("foolbox")
    nightmark("night", SMALL)
    file = tmp_path / "frog.json"
    wish = ("--class", "frog", "--recall", "0.5", "--to", file)
    assert nightmark("operating-point", "cifar10/test/resnet8", *wish) == 0
    point = json.loads(file.read_bytes())
    capsys.readouterr()
    under = (
        *("--set", f"operating_points=[{file}]"),
        *("--set", "gates.0={metric: recall_at_threshold, classes: [frog], min: 0.99}"),
    )
    assert nightmark("night", SMALL, *under) in (1, 4)
    said = capsys.readouterr().out
    assert "Nothing to compute" in said
    assert f"frog at a threshold of {point['threshold']:.6g}: recall is" in said
    store = Store.at(root)
    night, scorings = read_night(store, finished_nights(store)[-1])
    (check,) = scorings["cifar10/test/resnet8"].operating_points
    assert check.found is not None
    assert check.found.model_dump() == point["expected"]
    page = root / "nights" / night.name / "cifar10/test/resnet8/report.html"
    assert "Operating points" in page.read_text()
    table = pq.read_table(root / "nights" / night.name / "metrics.parquet").to_pylist()
    (row,) = [row for row in table if row["metric"] == "recall_at_threshold"]
    assert (row["class"], row["value"]) == ("frog", check.found.recall.value)


def test_a_point_that_cannot_be_used_makes_its_pairs_unusable(
    root: Path, nightmark: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("foolbox")
    gone = ("--set", f"operating_points=[{tmp_path / 'gone.json'}]")
    assert nightmark("night", SMALL, *gone) == 2
    assert "gone.json: No such file" in capsys.readouterr().out
    assert not list(root.glob("predictions/**/*.parquet")), "told before anything is predicted"


def test_a_file_that_cannot_be_written_is_one_sentence(
    root: Path, nightmark: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store_one(root)
    file = tmp_path / "no such folder" / "otter.json"
    wish = ("--class", "class 1", "--recall", "0.9")
    assert nightmark("operating-point", "made/test/m", *wish, "--to", file) == 2
    said = capsys.readouterr().err
    assert said == f"nightmark: {file} cannot be written: No such file or directory\n"


@pytest.mark.parametrize("command", ["operating-point", "health"])
def test_scores_of_other_samples_are_one_sentence(
    root: Path, nightmark: Command, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    store_one(root)
    for file in root.glob("scores/**/*.parquet"):
        pq.write_table(pq.read_table(file, partitioning=None).slice(1), file)
    wish = ("--class", "class 1", "--recall", "0.9") if command == "operating-point" else ()
    assert nightmark(command, "made/test/m", *wish) == 3
    said = capsys.readouterr().err
    assert "are of other samples than the predictions; remove the folder" in said
    assert said.count("\n") == 1
