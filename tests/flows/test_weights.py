"""Weights that lie elsewhere, through a night: resolved once, named in its record, or told away."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from fsspec.implementations.memory import MemoryFileSystem

from flows import night as flows_night
from flows.nightly import nightly
from flows.returned import taken
from flows.watch import watch_models
from shards.errors import InputError
from shards.store import Store
from tasks.models.digests import file_sha256
from tasks.night import Night, Outcome
from tasks.stored import full_nights
from tasks.updates.watching import read_seen

PLAN = Path(__file__).parents[1] / "plans/small.yaml"
WEIGHTS = Path(__file__).parents[2] / "conf/weights"
PLACE = "/w/best.safetensors"
ADDRESS = f"memory:/{PLACE}"


@pytest.fixture
def memory() -> Iterator[MemoryFileSystem]:
    MemoryFileSystem.store.clear()
    yield MemoryFileSystem()
    MemoryFileSystem.store.clear()


def put(memory: MemoryFileSystem, version: str) -> None:
    memory.pipe(PLACE, (WEIGHTS / f"cifar10_resnet8_{version}.safetensors").read_bytes())


@pytest.fixture
def plan(tmp_path: Path, memory: MemoryFileSystem) -> Path:
    """One model in a store, on two datasets, and one whose store has nothing."""
    tree = yaml.safe_load(PLAN.read_text())
    (dataset,), (model,) = tree["datasets"], tree["models"]
    tree["datasets"] = [dataset, {**dataset, "name": "again"}]
    there = {**model, "name": "there", "weights": ADDRESS}
    away = {**model, "name": "away", "weights": "memory://w/nothing.safetensors"}
    tree["models"] = [away, there]
    tree["runtime"] = {"samples_per_shard": 20}
    file = tmp_path / "plan.yaml"
    file.write_text(yaml.safe_dump(tree))
    put(memory, "v1")
    return file


def of(night: Night, model: str) -> list[Outcome]:
    return [outcome for outcome in night.outcomes if outcome.pair.model == model]


def test_a_night_takes_one_version_and_names_it(
    root: Path,
    plan: Path,
    memory: MemoryFileSystem,
    monkeypatch: pytest.MonkeyPatch,
    nightmark: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    begun = flows_night.slot_pool

    def replaced_at_the_begin(*words: object) -> object:
        put(memory, "v2")
        return begun(*words)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(flows_night, "slot_pool", replaced_at_the_begin)
        night = taken(nightly(plan, return_state=True), Night)
    first, second = of(night, "there")
    assert first.fingerprint == second.fingerprint, "one version for the whole night"
    assert first.weights == second.weights
    assert first.weights.startswith(f"{ADDRESS} at created 2")
    (kept,) = root.glob("weights/there/*/best.safetensors")
    assert file_sha256(kept) == file_sha256(WEIGHTS / "cifar10_resnet8_v1.safetensors")
    page = root / "nights" / night.name
    for file in (page / "index.html", page / "cifar10/test/there/report.html"):
        assert first.weights in file.read_text(), file

    # The other is told, and costs this model nothing.
    for outcome in of(night, "away"):
        assert outcome.state == "unusable"
        assert "weights memory://w/nothing.safetensors cannot be had" in outcome.message
    assert next(iter(full_nights(Store.at(root)))).name == night.name

    # What came meanwhile is an update, told although the other cannot be looked at.
    with pytest.raises(
        InputError, match=r"model away: weights .*nothing\.safetensors cannot be had"
    ):
        taken(watch_models(plan, settle_seconds=0.0, return_state=True), tuple)
    seen = read_seen(Store.at(root), "small", "there")
    assert seen is not None
    assert seen.fingerprint == seen.announced != first.fingerprint

    assert nightmark("models", plan) == 2
    told = capsys.readouterr().out
    assert "away: cannot be used: model away: weights memory://w/nothing.safetensors" in told
    assert f"  from {ADDRESS} at created 2" in told
    assert "  cifar10/test: changed since night " in told
    words = ("reprocess", plan, "--model", "there", "--dataset", "cifar10", "--dry-run")
    assert nightmark(*words) == 0
    assert "the model changed since night" in capsys.readouterr().out.replace("\n", " ")
    assert nightmark("doctor", plan) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "model away: weights" in said
