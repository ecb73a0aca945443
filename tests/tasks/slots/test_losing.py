"""Slots whose processes are lost: made processes, so that devices can fail as they please."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prefect.logging import disable_run_logger

from shards.errors import ShardError
from shards.reader import Shard, ShardedSplit
from shards.store import Store
from tasks.deadline import DeadlineError, until
from tasks.infer import PATIENCE_SECONDS, InferenceRun, infer
from tasks.layout import PairName, SplitName
from tasks.models.engine import Engine
from tasks.predictions.store import PredictionStore
from tasks.slots import pool as pools
from tasks.slots.child import EngineLostError
from tasks.slots.devices import Device
from tasks.slots.pool import ATTEMPTS, GivenUpError, NoSlotError, SlotPool, slot_pool
from tasks.slots.process import Answer, ShardJob
from tests.shards.made import FOLDER, build, made_source
from tests.tasks.models.cifar import EXACT, faulty

ONE, TWO = Device("cpu", 0, 1), Device("cpu", 1, 1)
Fate = Callable[[Device, Shard], bool]
"""Whether the process on a device is lost over a shard."""


class Machine:
    """Makes processes that are lost as ``fate`` says, and counts their losses."""

    def __init__(self) -> None:
        self.fate: Fate = lambda *_: False
        self.losses: list[tuple[str, str]] = []
        self.predicted: list[tuple[str, str]] = []
        self.busy: Callable[[float | None], None] | None = None
        """Called instead of waiting for a device that another run is using."""

    def process(self, device: Device) -> "MadeProcess":
        return MadeProcess(self, device)


class MadeProcess:
    pid = 1

    def __init__(self, machine: Machine, device: Device) -> None:
        self.machine, self.device = machine, device

    def is_ready(self, within: float | None) -> bool:
        busy = self.machine.busy
        if busy is not None:
            busy(within)
        return busy is None

    def ask(self, job: ShardJob) -> Answer:
        here = (str(self.device), job.shard.entry.url)
        if self.machine.fate(self.device, job.shard):
            self.machine.losses.append(here)
            raise EngineLostError("the bus fell off")
        self.machine.predicted.append(here)
        engine = Engine.load(job.model, EXACT, "cpu")
        return Answer(engine.predict(job.shard.read(), job.classes, job.batch_size, 1))

    def end(self) -> None:
        """Nothing runs."""


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    made = Machine()
    monkeypatch.setattr(pools, "EngineProcess", made.process)
    with disable_run_logger():
        yield made


@pytest.fixture
def split(tmp_path: Path) -> ShardedSplit:
    store = Store.at(tmp_path / "artifacts")
    build(made_source(), store)
    return ShardedSplit.open(store, FOLDER)


@pytest.fixture
def run(split: ShardedSplit, tmp_path: Path) -> InferenceRun:
    pair = PairName(SplitName("made", "test"), "m")
    where = PredictionStore(split.store, pair, "r0123456789abcdef", keep_scores=True)
    return InferenceRun(faulty("sound", tmp_path), EXACT, where, classes=10, batch_size=4)


def test_a_lost_device_costs_no_shard(
    machine: Machine, split: ShardedSplit, run: InferenceRun
) -> None:
    machine.fate = lambda device, _: device == ONE
    shards = split.shards()
    assert len(shards) >= 3
    with slot_pool((ONE, TWO)) as pool:
        done = infer.fn(shards, run, pool)
        assert run.predictions.missing(shards) == []
        assert done.images == split.samples.num_rows
        assert {device for device, _ in machine.predicted} == {str(TWO)}
        # After two shards the device is left alone, and the next task does not meet it.
        assert len(machine.losses) == 2 * ATTEMPTS
        with pool.borrow() as slot:
            assert slot.device == TWO


def test_one_shard_alone_is_computed_by_another_slot(
    machine: Machine, split: ShardedSplit, run: InferenceRun
) -> None:
    machine.fate = lambda device, _: device == ONE
    with slot_pool((ONE, TWO)) as pool:
        infer.fn(split.shards()[:1], run, pool)
    assert len(machine.losses) == ATTEMPTS
    assert [device for device, _ in machine.predicted] == [str(TWO)]


@pytest.mark.parametrize("devices", [(ONE,), (ONE, TWO)])
def test_a_deadly_shard_costs_itself_and_no_slot(
    machine: Machine, split: ShardedSplit, run: InferenceRun, devices: tuple[Device, ...]
) -> None:
    shards = split.shards()
    machine.fate = lambda _, shard: shard.entry == shards[0].entry
    with slot_pool(devices) as pool:
        with pytest.raises(ShardError) as refused:
            infer.fn(shards, run, pool)
        (fault,) = str(refused.value).splitlines()
        assert f"was lost {ATTEMPTS} times over {shards[0].entry.url} with model sound" in fault
        assert "the last time because the bus fell off" in fault
        assert run.predictions.missing(shards) == shards[:1]
        assert len(machine.losses) == ATTEMPTS * len(devices)
        machine.fate = lambda *_: False
        infer.fn(shards, run, pool)
    assert run.predictions.missing(shards) == []


def test_a_deadly_model_ends_soon_and_the_next_one_finds_slots(
    machine: Machine, split: ShardedSplit, run: InferenceRun
) -> None:
    shards = split.shards()
    machine.fate = lambda *_: True
    with slot_pool((ONE,)) as pool:
        with pytest.raises(ShardError, match=r"no slot is left: .* the bus fell off"):
            infer.fn(shards, run, pool)
        assert len(machine.losses) == 2 * ATTEMPTS
        with pytest.raises(ShardError, match=f"{len(shards)} shards from .* no slot is left"):
            infer.fn(shards, run, pool)
        machine.fate = lambda *_: False
        with slot_pool((ONE,)) as same:
            assert same is pool
            infer.fn(shards, run, same)
    assert run.predictions.missing(shards) == []


def test_who_waits_for_a_slot_is_told_when_the_last_is_lost(
    machine: Machine, split: ShardedSplit, run: InferenceRun
) -> None:
    machine.fate = lambda *_: True
    told: list[str] = []

    def wait_for_one(pool: SlotPool) -> None:
        with pytest.raises(NoSlotError) as refused, pool.borrow():
            pass
        told.append(str(refused.value))

    with slot_pool((ONE,)) as pool:
        with pool.borrow() as slot:
            waiting = threading.Thread(target=wait_for_one, args=(pool,))
            waiting.start()
            for shard in split.shards()[:2]:
                with pytest.raises(GivenUpError):
                    slot.predict(run.job(shard, None))
            assert slot.is_lost
        waiting.join(5)
    assert told == [f"no slot is left: {slot.fault}"]


def test_what_another_run_predicts_meanwhile_is_not_computed_again(
    machine: Machine, split: ShardedSplit, run: InferenceRun
) -> None:
    shards = split.shards()

    def other_run(_: float | None) -> None:
        machine.busy = None
        infer.fn(shards[:2], run, SlotPool((TWO,)))

    machine.busy = other_run
    with slot_pool((ONE,)) as pool:
        infer.fn(shards, run, pool)
    ours = [url for device, url in machine.predicted if device == str(ONE)]
    assert ours == [shard.entry.url for shard in shards[2:]]
    assert run.predictions.missing(shards) == []


def test_the_wait_for_a_device_ends_with_the_deadline(
    machine: Machine, split: ShardedSplit, run: InferenceRun
) -> None:
    waits: list[float | None] = []
    machine.busy = waits.append
    past = datetime(2020, 2, 3, tzinfo=UTC)
    with (
        until(past),
        slot_pool((ONE,)) as pool,
        pytest.raises(DeadlineError, match=r"the deadline 2020-02-03 .* was in use by another run"),
    ):
        infer.fn(split.shards(), run, pool)
    assert waits == [0, PATIENCE_SECONDS, PATIENCE_SECONDS]
    assert not machine.predicted
