"""A whole night on twenty real images, again and again."""

import json
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from prefect.artifacts import Artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.sorting import FlowRunSort

from conf.locations import in_package
from flows.nightly import nightly
from flows.returned import taken
from shards.errors import InputError
from shards.store import Store
from tasks.night import Night
from tests.support.stored import store_night

PLAN = Path(__file__).parents[1] / "plans" / "small.yaml"
SHARDS = 4
Command = Callable[..., int]


def run(*overrides: str) -> tuple[str, str, Night]:
    state = nightly(PLAN, list(overrides), return_state=True)
    return state.name, state.message or "", taken(state, Night)


def only_file(root: Path, pattern: str) -> Path:
    (found,) = root.glob(pattern)
    return found


def test_a_night_writes_everything_and_a_second_one_computes_nothing(root: Path) -> None:
    told = root.parent / "textfile" / "nightmark.prom"
    name, message, night = run(f"runtime.prometheus={told}")
    assert (name, night.state) == ("Passed", "passed"), message
    assert (
        'nightmark_verdict{dataset="cifar10",model="resnet8",split="test",verdict="passed"} 1.0'
        in (told.read_text().splitlines())
    )
    assert night.work.computed == SHARDS
    assert night.work.images == 20
    (outcome,) = night.outcomes
    assert "1 gate" in outcome.message
    folder = root / "nights" / night.name
    assert {path.name for path in folder.iterdir()} >= {
        "index.html",
        "metrics.parquet",
        "night.json",
        "summary.md",
        "junit.xml",
        "assets",
    }
    assert (folder / "cifar10/test/resnet8/report.html").is_file()
    assert Night.from_json((folder / "night.json").read_bytes(), "night.json") == night

    metrics = only_file(root, "scorings/cifar10/test/resnet8/*/metrics.json").read_bytes()
    top1 = next(m for m in json.loads(metrics)["overall"] if m["name"] == "top1")
    assert (top1["hits"], top1["n"]) == (19, 20)
    table = pq.read_table(folder / "metrics.parquet").to_pylist()
    row = next(row for row in table if row["metric"] == "top1")
    assert (row["value"], row["n"], row["state"]) == (0.95, 20, "defined")

    _, _, again = run()
    assert again.work.computed == 0
    assert again.work.reused == SHARDS
    assert only_file(root, "scorings/cifar10/test/resnet8/*/metrics.json").read_bytes() == metrics


def test_slices_and_further_top_k_of_the_plan_are_in_the_nights_table(root: Path) -> None:
    wishes = (
        "top_k=[3]",
        "datasets.0.slices=[{field: size, min_size: 20}, {field: suffix, min_size: 21}]",
        "datasets.0.class_groups={vehicles: [airplane, automobile, ship, truck]}",
    )
    _, _, night = run(*wishes)
    table = pq.read_table(root / "nights" / night.name / "metrics.parquet").to_pylist()
    found = {(row["slice"], row["metric"]): row for row in table if row["scope"] == "slice"}
    whole = found["size=1024..", "top1"]
    assert (whole["value"], whole["n"], whole["state"]) == (0.95, 20, "defined")
    assert found["suffix=png", "top3"]["state"] == "too_small"
    assert ("class_group=vehicles", "top1") in found
    assert any(row["metric"] == "top3" and row["scope"] == "overall" for row in table)
    page = (root / "nights" / night.name / "cifar10/test/resnet8/report.html").read_text()
    assert "size=1024.." in page
    assert "Average precision" in page.replace("Macro average precision", "")


def test_predictions_are_plain_partitioned_parquet(root: Path) -> None:
    run()
    table = ds.dataset(root / "predictions", partitioning="hive").to_table()
    assert table.num_rows == 20
    assert set(table["model"].to_pylist()) == {"resnet8"}
    assert set(table["split"].to_pylist()) == {"test"}
    scores = ds.dataset(root / "scores", partitioning="hive").to_table()
    assert {len(row) for row in scores["probabilities"].to_pylist()} == {10}


def test_only_a_missing_shard_is_computed_again(root: Path) -> None:
    _, _, first = run()
    metrics = only_file(root, "scorings/cifar10/test/resnet8/*/metrics.json")
    before = metrics.read_bytes()
    next((root / "predictions").rglob("*.parquet")).unlink()
    metrics.unlink()
    _, _, night = run()
    assert (night.work.computed, night.work.reused) == (1, SHARDS - 1)
    assert metrics.read_bytes() == before
    assert first.outcomes[0].scoring == night.outcomes[0].scoring


def test_the_run_carries_its_verdict_and_a_summary(root: Path) -> None:
    state = nightly(PLAN, [], return_state=True)
    run_id = state.state_details.flow_run_id
    with get_client(sync_client=True) as client:
        flow_run = client.read_flow_run(run_id)
        artifacts = client.read_artifacts(
            artifact_filter=ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run_id]))
        )
    assert flow_run.state is not None
    assert flow_run.state.name == "Passed"
    assert "Next: nothing to do" in (flow_run.state.message or "")
    summaries = [str(artifact.data) for artifact in artifacts if artifact.type == "markdown"]
    assert any("cifar10" in summary for summary in summaries)
    assert {"markdown", "table", "image"} <= {artifact.type for artifact in artifacts}
    progress = Artifact.get("inferring-cifar10-test-resnet8")
    assert progress is not None
    assert progress.data == 100
    assert re.fullmatch(
        r"infer cifar10/test/resnet8: 4 of 4 shards, [\d,.]+ images/s", progress.description or ""
    )


@pytest.mark.parametrize(
    ("minimum", "state_name", "state", "code"),
    [
        ("0.995", "GateFailed", "failed", 1),
        ("0.9", "Inconclusive", "inconclusive", 4),
        ("0.5", "Passed", "passed", 0),
    ],
)
def test_the_verdict_is_the_state_and_the_exit_code(
    root: Path,
    nightmark: Command,
    capsys: pytest.CaptureFixture[str],
    minimum: str,
    state_name: str,
    state: str,
    code: int,
) -> None:
    override = f"gates.0={{metric: top1, min: {minimum}}}"
    name, message, night = run(override)
    assert (name, night.state) == (state_name, state)
    assert "Next:" in message
    assert nightmark("night", PLAN, "--set", override) == code
    printed = capsys.readouterr().out
    assert state in printed
    assert "Nothing to compute" in printed


def test_a_wrong_dataset_does_not_take_the_others_down(root: Path) -> None:
    wrong = "{name: gone, split: test, source: folder, location: /no/such/place}"
    good = (
        "{name: cifar10, split: test, source: folder, location: 'package:foolbox/data', "
        "include: 'cifar10_*.png', label_pattern: '_(\\d+)[.]png$', classes: cifar10}"
    )
    name, message, night = run(f"datasets=[{wrong}, {good}]")
    assert (name, night.state) == ("Unusable", "unusable")
    assert [outcome.state for outcome in night.outcomes] == ["unusable", "passed"]
    assert "/no/such/place" in message
    assert (root / "nights" / night.name / "index.html").is_file()


def test_a_damaged_shard_is_named_and_the_others_are_predicted(root: Path) -> None:
    run("models.0.name=first")
    tar = sorted(root.glob("shards/cifar10/test/*/*.tar"))[1]
    whole = tar.read_bytes()
    position = whole.index(b"\x89PNG") + 200
    tar.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
    name, message, night = run()
    assert (name, night.state) == ("Incomplete", "incomplete")
    assert tar.name in message
    assert "cifar10_05_6" in message
    assert not list(root.glob("scorings/cifar10/test/resnet8/*"))
    assert len(list(root.glob("predictions/**/model=resnet8/**/*.parquet"))) == SHARDS - 1
    tar.write_bytes(whole)
    _, _, mended = run()
    assert (mended.work.computed, mended.work.reused) == (1, SHARDS - 1)


def test_undecodable_images_make_the_run_incomplete_and_bound_the_score(
    root: Path, tmp_path: Path
) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for path in in_package("foolbox/data").glob("cifar10_*.png"):
        (images / path.name).write_bytes(path.read_bytes())
    broken = images / "cifar10_03_0.png"
    broken.write_bytes(broken.read_bytes()[:600])
    where = f"datasets.0.location={images}"
    name, message, night = run(where)
    assert (name, night.state) == ("Incomplete", "incomplete")
    assert "1 image could not be predicted" in message
    metrics = json.loads(
        only_file(root, "scorings/cifar10/test/resnet8/*/metrics.json").read_bytes()
    )
    found = {m["name"]: (m["hits"], m["n"]) for m in metrics["overall"]}
    assert metrics["failed"] == 1
    assert found["top1"][1] == 19
    assert found["top1_failed_as_right"][0] == found["top1_failed_as_wrong"][0] + 1
    assert run(where, "runtime.max_failed=1")[0] == "Passed"


def test_a_changed_image_costs_one_shard(root: Path, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for path in in_package("foolbox/data").glob("cifar10_*.png"):
        (images / path.name).write_bytes(path.read_bytes())
    where = f"datasets.0.location={images}"
    run(where)
    (images / "cifar10_07_6.png").write_bytes((images / "cifar10_19_6.png").read_bytes())
    _, _, night = run(where)
    assert (night.work.computed, night.work.reused) == (1, SHARDS - 1)


def test_another_class_list_of_another_length_is_not_hidden_by_reuse(root: Path) -> None:
    run()
    classes = "datasets.0.classes=[a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10]"
    name, message, _ = run(classes, "datasets.0.label_pattern=cifar10_\\d+_(\\d+)")
    assert name == "Unusable"
    assert "11" in message


def test_what_was_computed_before_a_fault_is_told(root: Path, nightmark: Command) -> None:
    assert nightmark("shard", PLAN) == 0
    max(root.glob("shards/cifar10/test/*/*.tar")).unlink()
    _, message, night = run()
    assert "is missing" in message
    assert (night.work.computed, night.work.images) == (SHARDS - 1, 15)


def test_the_runs_are_tagged(root: Path) -> None:
    state = nightly(PLAN, [], return_state=True)
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(limit=200, sort=FlowRunSort.START_TIME_DESC)
    night = next(run for run in runs if run.id == state.state_details.flow_run_id)
    assert night.start_time is not None
    # Other tests ran flows of these names on the same server before.
    (mine,) = (
        run
        for run in runs
        if run.name == "cifar10 x resnet8"
        and run.start_time is not None
        and run.start_time >= night.start_time
    )
    assert set(mine.tags) == {"dataset:cifar10", "model:resnet8", "verdict:passed"}
    assert any(run.name == "build cifar10 test" and "dataset:cifar10" in run.tags for run in runs)
    assert set(night.tags) == {"plan:small", "dataset:cifar10", "model:resnet8", "verdict:passed"}


def test_a_fault_of_nightmark_itself_says_what_to_do(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise LookupError("no such thing")

    with monkeypatch.context() as patch:
        patch.setattr("flows.evaluate.resolve", broken)
        name, message, night = run()
    assert (name, night.state) == ("Incomplete", "incomplete"), "the night goes on"
    assert "unexpectedly (Failed): A fault of nightmark itself: LookupError" in message

    monkeypatch.setattr("flows.night.find_devices", broken)
    state = nightly(PLAN, [], return_state=True)
    assert (state.name, state.type) == ("Failed", StateType.FAILED)
    assert (state.message or "").startswith(
        "A fault of nightmark itself: LookupError: no such thing. Next: run again, which computes"
    )
    with pytest.raises(LookupError, match="no such thing"):
        taken(state, Night)


def test_a_plan_that_is_none_is_unusable(root: Path) -> None:
    state = nightly(PLAN, ["runtime.bach_size=3"], return_state=True)
    assert (state.name, state.type) == ("Unusable", StateType.FAILED)
    assert "unknown key" in (state.message or "")
    assert "Next: correct the plan" in (state.message or "")
    with pytest.raises(InputError, match="unknown key"):
        taken(state, Night)


def test_a_green_run_is_never_empty(
    root: Path, tmp_path: Path, nightmark: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert nightmark("night", PLAN, "--set", "models.0.datasets=[]") == 3
    printed = capsys.readouterr().out
    assert "No model of the plan belongs to any of its datasets" in printed
    with tarfile.open(tmp_path / "unlabelled-000000.tar", "w") as tar:
        for path in sorted(in_package("foolbox/data").glob("cifar10_*.png"))[:5]:
            tar.add(path, path.name)
    where = f"{{source: webdataset, location: {tmp_path}, classes: cifar10}}"
    name, message, night = run(f"datasets=[{{name: d, split: test, {where[1:]}]", "gates=[]")
    assert (name, night.state) == ("Unusable", "unusable"), message
    assert "none of the 5 images has a label" in message
    assert night.work.images == 5


def test_stored_nights_are_listed_and_written_again(
    root: Path, nightmark: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    _, _, night = run()
    (root / "nights" / "20990101t000000z-cut0ff").mkdir()
    page = root / "nights" / night.name / "index.html"
    before = page.read_bytes()
    page.unlink()
    assert nightmark("nights") == 0
    assert f"{night.name}  small  passed" in capsys.readouterr().out
    assert nightmark("report", "latest") == 0
    assert page.read_bytes() == before
    assert nightmark("report", "no-such-night") == 2
    assert "has no night 'no-such-night'" in capsys.readouterr().err


def test_a_damaged_night_does_not_hide_the_others(
    root: Path, nightmark: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store.at(root)
    older, newer = store_night(store, 1), store_night(store, 2)
    store.publish(f"nights/{older.name}/night.json", b"{")
    assert nightmark("nights") == 3
    printed = capsys.readouterr()
    assert f"{newer.name}  made  incomplete" in printed.out
    assert f"{older.name}/night.json is no Night" in printed.err
