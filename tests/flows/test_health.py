"""A night with training images, and the commands that look at its health."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from conf.loading import load
from conf.locations import in_package
from conf.plan import Plan
from flows.evaluate import evaluate
from flows.nightly import nightly
from flows.returned import taken
from shards.store import Store
from tasks.health.finding import TITLES, Finding
from tasks.night import Night, Outcome
from tasks.report.thumbnails import picture_stem
from tests.support.stored import logits, pair_name, store_evaluation
from tests.tasks.health.images import scenes

PLAN = Path(__file__).parents[1] / "plans" / "small.yaml"
Command = Callable[..., int]


def evaluated(plan: Plan) -> Outcome:
    state = evaluate(plan, "cifar10", "resnet8", return_state=True)
    return taken(state, Outcome)


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty test images; of the training images one is the same file, one a mirrored copy."""
    folder = tmp_path_factory.mktemp("plan")
    train = folder / "train"
    train.mkdir()
    images = sorted(in_package("foolbox/data").glob("cifar10_*.png"))
    (train / "same_6.png").write_bytes(images[0].read_bytes())
    pixels = np.asarray(Image.open(images[5]).convert("RGB"))
    Image.fromarray(pixels[:, ::-1]).save(train / "mirrored_1.png")
    for place, made in enumerate(scenes(6)):
        Image.fromarray(made).save(train / f"made{place}_{place}.png")
    text = PLAN.read_text().replace(
        "    classes: cifar10\n", "    classes: cifar10\n    train: seen\n"
    )
    text = text.replace("../../conf", str(PLAN.parents[2] / "conf"))
    text = text.replace(
        "models:\n",
        "  - {name: seen, split: train, source: folder, location: train, classes: cifar10, "
        "label_pattern: '_(\\d+)\\.png$'}\nmodels:\n",
    )
    path = folder / "plan.yaml"
    path.write_text(text)
    return path


def night_of(plan: Path) -> Night:
    return taken(nightly(plan, [], return_state=True), Night)


def by_check(outcome: Outcome) -> dict[str, Finding]:
    return {finding.check: finding for finding in outcome.findings}


def outcome_on(night: Night, dataset: str) -> Outcome:
    return next(outcome for outcome in night.outcomes if outcome.pair.dataset == dataset)


def test_a_night_finds_the_training_images_in_the_test_set(
    root: Path, plan: Path, nightmark: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    night = night_of(plan)
    assert [outcome.pair.dataset for outcome in night.outcomes] == ["seen", "cifar10"]
    tested = outcome_on(night, "cifar10")
    found = by_check(tested)
    assert set(found) == set(TITLES)
    leak = found["leakage"]
    assert leak.severity == "warn"
    assert "2 images of 20 (10.0 %" in leak.sentence
    assert "are also in seen/train: 1 with equal pixels, 1 as the same shot" in leak.sentence
    assert [pair.copy_kind for pair in leak.evidence.pairs] == ["exact", "near"]
    assert leak.evidence.pairs[1].mirrored
    assert (found["duplicates"].checked, found["duplicates"].severity) == (True, "info")
    (change,) = found["overfitting"].evidence.changes
    assert (change.tallies[1].hits, change.tallies[1].n) == (19, 20)
    assert change.tallies[0].n == 8
    assert not by_check(outcome_on(night, "seen"))["leakage"].checked
    # Warnings or not, the gate of the plan alone decides.
    assert tested.state == "passed"

    folder = root / "nights" / night.name
    page = (folder / "cifar10/test/resnet8/report.html").read_text()
    assert leak.sentence in page
    assert leak.title in (folder / "index.html").read_text()
    assert leak.title in (folder / "summary.md").read_text()
    shown = (folder / "cifar10/test/resnet8/gallery.js").read_text()
    for key, words in (("same_6", "equal pixels"), ("mirrored_1", "same shot, mirrored, distance")):
        picture = f"seen/train/_images/{picture_stem(key)}.png"
        assert f'["{key}","seen/train","{words}' in shown
        assert f'"../../../{picture}",""]' in shown
        assert (folder / picture).is_file()

    records = sorted(root.glob("copies/*/copies.json"))
    assert len(records) == 2
    before = [path.stat().st_mtime_ns for path in records]
    again = evaluated(load(plan))
    assert by_check(again)["leakage"] == leak
    assert [path.stat().st_mtime_ns for path in records] == before

    for path in records:
        path.write_text("{}")
    spoilt = evaluated(load(plan))
    assert spoilt.state == "passed"
    assert "copies.json is no Copies" in by_check(spoilt)["leakage"].sentence
    for path in records:
        path.unlink()
    assert nightmark("leakage", plan, "--dataset", "cifar10") == 0

    capsys.readouterr()
    reference = ("health", "cifar10/test/resnet8", "--train", "seen/train/resnet8")
    assert nightmark(*reference) == 0
    printed = capsys.readouterr().out
    for title in TITLES.values():
        assert title in printed
    assert leak.sentence in printed
    assert nightmark("health", "cifar10/test/resnet8") == 0
    assert "it is not known which images the model was trained on" in capsys.readouterr().out
    assert nightmark("health", "cifar10/test/nobody") == 2


def test_the_command_lists_and_shows_the_pairs(
    root: Path,
    plan: Path,
    nightmark: Command,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    listed, sheet = tmp_path / "pairs.csv", tmp_path / "pairs.png"
    command = ("leakage", plan, "--dataset", "cifar10", "--pairs", listed, "--sheet", sheet)
    assert nightmark(*command) == 0
    printed = capsys.readouterr().out
    assert "2 images of 20 (10.0 %, 95 % interval 2.8 % to 30.1 %)" in printed
    rows = list(csv.DictReader(listed.open()))
    assert {row["other"] for row in rows} == {"same_6", "mirrored_1"}
    (record,) = (path for path in root.glob("copies/*/copies.json") if _copied(path) == 2)
    assert pq.read_table(record.with_name("pairs.parquet")).num_rows == 2
    with Image.open(sheet) as shown:
        assert min(shown.size) > 100
    assert nightmark("leakage", plan, "--dataset", "nobody") == 2
    assert nightmark("leakage", plan, "--dataset", "seen") == 0
    assert "names no `train`" in capsys.readouterr().out


def test_training_images_that_are_gone_are_no_fault_of_the_evaluation(
    root: Path, plan: Path
) -> None:
    loaded = load(plan, ["datasets.1.location=/no/such/place"])
    tested = evaluated(loaded)
    assert tested.state == "passed"
    leak = by_check(tested)["leakage"]
    assert not leak.checked
    assert "/no/such/place" in leak.sentence


def _copied(path: Path) -> int:
    record = json.loads(path.read_text())
    return (
        record["exact"] + record["near"] if record["images_digest"] != record["other_digest"] else 0
    )


def test_what_is_examined_is_not_what_was_trained_on(
    root: Path, nightmark: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    targets = np.arange(40) % 4
    scores = logits(targets, 4, skill=2, seed=1)
    store_evaluation(Store.at(root), pair_name("net"), scores, targets.tolist())
    assert nightmark("health", "made/test/net", "--train", "made/test/net") == 2
    assert "name the evaluation of the images that the model was trained on" in (
        capsys.readouterr().err
    )


def test_pairs_that_cannot_be_written_are_one_sentence(
    root: Path, plan: Path, nightmark: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "no such folder" / "pairs.csv"
    assert nightmark("leakage", plan, "--dataset", "cifar10", "--pairs", file) == 2
    said = capsys.readouterr().err
    assert f"nightmark: {file} cannot be written: No such file or directory" in said
