"""What goes wrong at work: what is on disk stays whole, a rerun gives the undisturbed result."""

import contextvars
import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterKey,
    FlowRunFilter,
    FlowRunFilterId,
)

from conf.loading import load
from conf.plan import Plan
from flows import runners
from flows.evaluate import evaluate
from flows.nightly import nightly
from flows.returned import taken
from tasks.night import Night

PLAN = Path(__file__).parents[1] / "plans" / "small.yaml"
SHARDS = 4
Command = Callable[..., int]


def run(*overrides: str) -> Night:
    return taken(nightly(PLAN, list(overrides), return_state=True), Night)


def metrics(root: Path) -> bytes:
    (path,) = root.glob("scorings/**/metrics.json")
    return path.read_bytes()


def predictions(root: Path) -> dict[Path, bytes]:
    """Every file of predictions and scores, by its place under the root."""
    found = [*root.glob("predictions/**/*.parquet"), *root.glob("scores/**/*.parquet")]
    return {path.relative_to(root): path.read_bytes() for path in found}


def hidden(root: Path) -> list[Path]:
    return [path for path in root.rglob(".*") if path.is_file()]


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The artifact root of the plan where nothing goes wrong."""
    other = tmp_path_factory.mktemp("undisturbed")
    run(f"runtime.root={other}")
    return other


def faulty(factory: str, folder: Path, **arguments: str) -> str:
    """The plan's only model is one of ``tests.support.faulty_models``."""
    weights = folder / "weights.pth"
    torch.save({"weight": torch.zeros(1)}, weights)
    model = {
        "name": factory.replace("_", "-"),
        "loader": f"module:tests.support.faulty_models:{factory}",
        "weights": str(weights),
        "arguments": arguments,
        "preprocessing": {},
    }
    return f"models={json.dumps([model])}"


def test_an_engine_killed_at_work_costs_nothing(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its shard, and the one begun ahead, are computed by another process."""
    marker = tmp_path / "die once"
    plan = (faulty("deadly_once", tmp_path, marker=str(marker)), "gates=[]")
    tasks = ("runtime.shards_per_task=4",)
    expected = run(*plan, *tasks)
    assert expected.work.computed == SHARDS
    before = metrics(root)
    again = tmp_path / "again"
    monkeypatch.setenv("NIGHTMARK_ROOT", str(again))
    marker.touch()
    night = run(*plan, *tasks)
    assert not marker.exists()
    assert (night.state, night.work.computed) == (expected.state, SHARDS)
    assert metrics(again) == before
    assert not hidden(again)


@pytest.mark.parametrize(
    ("factory", "words"), [("nan", "NaN"), ("one_row", "so [5, 10] is needed")]
)
def test_outputs_that_are_none_make_the_pair_unusable(
    root: Path, tmp_path: Path, factory: str, words: str
) -> None:
    night = run(faulty(factory, tmp_path))
    (outcome,) = night.outcomes
    assert night.state == "unusable"
    assert words in outcome.message
    assert "cifar10_" in outcome.message
    for pattern in ("predictions/**/*.parquet", "scorings/**/*", "evaluations/**/*.json"):
        assert not list(root.glob(pattern))
    assert not hidden(root)


def test_damaged_shards_are_named_and_cost_no_other(
    root: Path, undisturbed: Path, nightmark: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """One is deleted, one cut short, of one a byte is altered."""
    assert nightmark("shard", PLAN) == 0
    deleted, cut, altered, whole = sorted(root.glob("shards/cifar10/test/*/*.tar"))
    deleted.unlink()
    cut.write_bytes(cut.read_bytes()[:-2000])
    altered.write_bytes(altered.read_bytes()[:4000] + b"\x5a" + altered.read_bytes()[4001:])
    capsys.readouterr()
    words = ("evaluate", PLAN, "--dataset", "cifar10", "--model", "resnet8")
    assert nightmark(*words) == 3
    printed = capsys.readouterr().out
    assert all(tar.name in printed for tar in (deleted, cut, altered))
    assert whole.name not in printed
    assert len(list(root.glob("predictions/**/*.parquet"))) == 1
    assert predictions(root).items() <= predictions(undisturbed).items()
    assert not list(root.glob("scorings/**/*"))
    assert not hidden(root)
    shutil.rmtree(whole.parent)
    assert nightmark(*words) == 0
    assert "reused 1." in capsys.readouterr().out
    assert predictions(root) == predictions(undisturbed)
    assert metrics(root) == metrics(undisturbed)


def test_many_shards_make_few_tasks_also_where_all_are_computed_again(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "MAX_TASKS", 3)
    work = load(PLAN, ["runtime.samples_per_shard=1", "runtime.shards_per_task=1"])
    assert names_of_tasks(work).count("infer") == 3
    files = list(root.glob("predictions/**/*.parquet"))
    assert len(files) == 20
    for path in files:
        content = path.read_bytes()
        path.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    again = names_of_tasks(work)
    assert again.count("infer") == 3
    assert again.count("aggregate") == 2


def names_of_tasks(work: Plan) -> list[str]:
    """The task runs of one evaluation, as the server counts them."""
    state = evaluate(work, "cifar10", "resnet8", return_state=True)
    with get_client(sync_client=True) as client:
        found = client.read_task_runs(
            flow_run_filter=FlowRunFilter(
                id=FlowRunFilterId(any_=[state.state_details.flow_run_id])
            )
        )
    return [str(task.name).split()[0] for task in found]


def test_damaged_predictions_are_computed_again(
    root: Path, nightmark: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    run()
    before = metrics(root)
    files = {path: path.read_bytes() for path in sorted(root.glob("predictions/**/*.parquet"))}
    scores = {path: path.read_bytes() for path in sorted(root.glob("scores/**/*.parquet"))}
    empty, half, flipped, _ = files
    empty.write_bytes(b"")
    half.write_bytes(files[half][:500])
    flipped.write_bytes(files[flipped][:100] + b"\xff" + files[flipped][101:])
    assert files[flipped] != flipped.read_bytes()
    # Of the fourth shard, whose predictions are whole, a probability.
    altered = max(scores)
    middle = len(scores[altered]) // 3
    altered.write_bytes(scores[altered][:middle] + b"\xff\x00" + scores[altered][middle + 2 :])
    assert nightmark("night", PLAN) == 0
    printed = capsys.readouterr().out
    assert "4 of them were there, but damaged, and were computed again." in printed
    assert {path: path.read_bytes() for path in files} == files
    assert {path: path.read_bytes() for path in scores} == scores
    assert metrics(root) == before


def test_a_full_disk_keeps_what_is_whole(
    small_disk: Path,
    undisturbed: Path,
    nightmark: Command,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = small_disk / "root"
    monkeypatch.setenv("NIGHTMARK_ROOT", str(root))
    assert nightmark("shard", PLAN) == 0
    filler = small_disk / "filler"
    free = shutil.disk_usage(small_disk).free
    filler.write_bytes(bytes(free - 5 * 4096))
    words = ("evaluate", PLAN, "--dataset", "cifar10", "--model", "resnet8")
    capsys.readouterr()
    assert nightmark(*words) == 3
    printed = capsys.readouterr().out
    assert "cannot be written (No space left on device); what was finished before" in printed
    assert not hidden(root)
    assert not list(root.glob("scorings/**/*"))
    assert predictions(root).items() <= predictions(undisturbed).items(), "what is there is whole"
    filler.unlink()
    assert nightmark(*words) == 0
    assert predictions(root) == predictions(undisturbed)
    assert metrics(root) == metrics(undisturbed)


def test_two_runs_at_once_end_alike(root: Path, undisturbed: Path) -> None:
    nights: list[Night] = []
    threads = [
        threading.Thread(
            target=contextvars.copy_context().run, args=(lambda: nights.append(run()),)
        )
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [night.state for night in nights] == ["passed", "passed"]
    assert metrics(root) == metrics(undisturbed)
    assert not hidden(root)


def test_progress_moves_in_the_ui_while_predicting(root: Path) -> None:
    run("runtime.shards_per_task=auto")
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(
            artifact_filter=ArtifactFilter(
                key=ArtifactFilterKey(any_=["inferring-cifar10-test-resnet8"])
            )
        )
    assert found
    assert 100.0 in {artifact.data for artifact in found}
    assert found[0].type == "progress"
