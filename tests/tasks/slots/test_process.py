import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shards.errors import ModelError, ShardError
from shards.reader import ShardedSplit
from shards.store import Store
from tasks.models.engine import Engine
from tasks.models.spec import run_name
from tasks.slots import process
from tasks.slots.devices import Device
from tasks.slots.process import KEPT_MODELS, ShardJob, predict
from tests.shards.made import FOLDER, build, made_source
from tests.tasks.models.cifar import EXACT, faulty

CPU = Device("cpu", 0, 1)


@pytest.fixture(autouse=True)
def private_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture
def slot() -> Iterator[process._Slot]:
    """This process as a slot, without the threads and the lock of a real one."""
    here = process._Slot(CPU)
    process._SLOTS.append(here)
    yield here
    process._SLOTS.clear()


@pytest.fixture
def split(tmp_path: Path) -> ShardedSplit:
    store = Store.at(tmp_path / "artifacts")
    build(made_source(), store)
    return ShardedSplit.open(store, FOLDER)


def job(split: ShardedSplit, tmp_path: Path, **changes: object) -> ShardJob:
    model = faulty("sound", tmp_path, **changes)
    return ShardJob(split.shards()[0], model, EXACT, classes=10, batch_size=2)


def test_a_model_is_loaded_once(
    slot: process._Slot, split: ShardedSplit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []
    load = Engine.load

    def counting(*arguments: object) -> Engine:
        loaded.append("one")
        return load(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Engine, "load", counting)
    work = job(split, tmp_path)
    assert predict(work).predictions.equals(predict(work).predictions)
    assert len(loaded) == 1
    lower = ShardJob(
        work.shard, work.model, EXACT.model_copy(update={"precision": "bfloat16"}), 10, 2
    )
    predict(lower)
    assert len(loaded) == 2


def test_the_least_recently_used_model_goes(
    slot: process._Slot, split: ShardedSplit, tmp_path: Path
) -> None:
    works = [job(split, tmp_path, revision=str(number)) for number in range(KEPT_MODELS + 1)]
    for work in works[:-1]:
        predict(work)
    predict(works[0])
    predict(works[-1])
    kept = [run for run, _ in slot.engines]
    expected = [*works[2:-1], works[0], works[-1]]
    assert kept == [run_name(work.model, work.numerics) for work in expected]


def test_a_shard_announced_to_follow_is_predicted_ahead(
    slot: process._Slot, split: ShardedSplit, tmp_path: Path
) -> None:
    first, second, *_ = split.shards()
    alone = [predict(replace(job(split, tmp_path), shard=shard)) for shard in (first, second)]
    work = replace(job(split, tmp_path), following=second)
    found = predict(work)
    assert len(slot.begun) == 1
    then = predict(replace(work, shard=second, following=None))
    assert not slot.begun
    assert found.predictions.equals(alone[0].predictions)
    assert then.predictions.equals(alone[1].predictions)


def test_another_job_than_the_one_announced_gets_its_own_predictions(
    slot: process._Slot, split: ShardedSplit, tmp_path: Path
) -> None:
    second = split.shards()[1]
    work = replace(job(split, tmp_path), following=second)
    predict(work)
    other = replace(work, shard=second, following=None, batch_size=1)
    assert predict(other).predictions["key"].to_pylist() == second.rows["key"].to_pylist()
    assert not slot.begun


def test_a_faulty_model_ends_what_was_begun(
    slot: process._Slot, split: ShardedSplit, tmp_path: Path
) -> None:
    work = replace(job(split, tmp_path), model=faulty("nan", tmp_path))
    with pytest.raises(ModelError, match="NaN"):
        predict(replace(work, following=split.shards()[1]))
    assert not slot.begun


def test_a_missing_shard_is_told_before_a_model_is_loaded(
    slot: process._Slot, split: ShardedSplit, tmp_path: Path
) -> None:
    work = job(split, tmp_path)
    (tmp_path / "artifacts" / work.shard.path).unlink()
    with pytest.raises(ShardError, match="is missing"):
        predict(work)
    assert not slot.engines


def test_a_model_that_cannot_be_loaded_is_not_kept(
    slot: process._Slot, split: ShardedSplit, tmp_path: Path
) -> None:
    work = job(split, tmp_path)
    work.model.weights_file.unlink()
    with pytest.raises(ModelError):
        predict(work)
    assert not slot.engines


def test_a_device_is_found_by_its_place_among_the_visible_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert process._visible_name(1) == "1"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,GPU-5")
    assert [process._visible_name(number) for number in (0, 1)] == ["3", "GPU-5"]
