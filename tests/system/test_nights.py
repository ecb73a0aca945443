"""Nights that are killed, and nights that meet: nothing is computed twice or hidden."""

import json
import signal
import sqlite3
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.system.conftest import Start

ROOT = Path(__file__).parents[2]
PLAN = ROOT / "tests" / "plans" / "small.yaml"
SHARDS, IMAGES = 10, 20


@pytest.fixture
def slowly(tmp_path: Path) -> tuple[str, ...]:
    """What makes the small plan take 0.4 seconds for each of ten shards."""
    weights = tmp_path / "one.safetensors"
    save_file({"weight": torch.zeros(1)}, weights)
    model = (
        f"{{name: slow, weights: {weights}, loader: 'module:tests.support.faulty_models:slow', "
        f"preprocessing: {{mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}}}}"
    )
    sizes = ("runtime.samples_per_shard=2", "runtime.shards_per_task=2", "gates=[]")
    settings = (f"models=[{model}]", *sizes)
    return tuple(word for setting in settings for word in ("--set", setting))


def predictions(root: Path) -> dict[str, int]:
    """Which shards are predicted, and when that was written."""
    return {path.name: path.stat().st_mtime_ns for path in root.glob("predictions/**/*.parquet")}


def nights(root: Path) -> list[dict]:
    found = sorted(root.glob("nights/*/night.json"))
    return [json.loads(path.read_text()) for path in found]


def flow_runs(home: Path) -> list[tuple[str, str, str]]:
    """Name, type and name of the state of each flow run, as Prefect's database has them."""
    with sqlite3.connect(f"file:{home / 'prefect.db'}?mode=ro", uri=True) as base:
        rows = base.execute("SELECT name, state_type, state_name FROM flow_run ORDER BY created")
        return list(rows)


def test_a_killed_night_is_finished_by_the_next(
    start: Start, tmp_path: Path, slowly: tuple[str, ...]
) -> None:
    root, home = tmp_path / "root", tmp_path / "prefect"
    victim = start("night", PLAN, *slowly, PYTHONPATH=str(ROOT))
    deadline = time.monotonic() + 200
    while len(predictions(root)) < 3 and time.monotonic() < deadline:
        assert victim.poll() is None, victim.communicate()[0]
        time.sleep(0.05)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    left = predictions(root)
    assert 3 <= len(left) < SHARDS
    assert not nights(root), "no night pretends to have been"

    again = start("night", PLAN, *slowly, PYTHONPATH=str(ROOT))
    printed, _ = again.communicate(timeout=200)
    assert again.returncode == 4, printed
    (night,) = nights(root)
    (outcome,) = night["outcomes"]
    assert outcome["work"]["reused"] == len(left)
    assert outcome["work"]["computed"] == SHARDS - len(left)
    assert left.items() <= predictions(root).items(), "what was whole was not written again"
    assert f"Computed {SHARDS - len(left)} shards" in printed
    assert f"reused {len(left)}" in printed
    ours = [run for run in flow_runs(home) if run[0] == "night of small"]
    assert ours[-1] == ("night of small", "COMPLETED", "Inconclusive")
    # A command has no worker that would notice: the heartbeat automation (operations.md) does.
    assert ours[0][1] == "RUNNING", "and never green"


def test_two_nights_at_once_share_the_work(
    start: Start, tmp_path: Path, slowly: tuple[str, ...]
) -> None:
    """Both of the same plan, root and device: the second waits, and finds everything there."""
    homes = [tmp_path / "prefect", tmp_path / "other"]
    homes[1].mkdir()
    both = [
        start("night", PLAN, *slowly, PYTHONPATH=str(ROOT), PREFECT_HOME=str(home))
        for home in homes
    ]
    for each in both:
        printed, _ = each.communicate(timeout=300)
        assert each.returncode == 4, printed
    root = tmp_path / "root"
    found = nights(root)
    assert len(found) == 2
    works = [night["outcomes"][0]["work"] for night in found]
    assert len(predictions(root)) == SHARDS
    assert [night["state"] for night in found] == ["inconclusive", "inconclusive"]
    assert sum(work["images"] for work in works) == IMAGES, "every image once"
    scorings = {night["outcomes"][0]["scoring"] for night in found}
    assert len(scorings) == 1
    assert not [path for path in root.rglob(".*") if path.is_file()]
