import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
from filelock import FileLock

from shards.errors import ModelError, ShardError
from shards.reader import ShardedSplit
from shards.store import Store
from tasks.models.engine import Engine
from tasks.slots.devices import Device
from tasks.slots.locks import lock_file
from tasks.slots.pool import ATTEMPTS, Slot, StoppedError, slot_pool
from tasks.slots.process import ShardJob
from tests.shards.made import FOLDER, build, made_source
from tests.tasks.models.cifar import EXACT, faulty

CPU = Device("cpu", 0, 1)
ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def private_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other test processes on this machine hold locks of the same devices."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(ROOT)


@pytest.fixture
def split(tmp_path: Path) -> ShardedSplit:
    store = Store.at(tmp_path / "artifacts")
    build(made_source(), store)
    return ShardedSplit.open(store, FOLDER)


def job(
    split: ShardedSplit, factory: str, folder: Path, shard: int = 0, **changes: object
) -> ShardJob:
    model = faulty(factory, folder, **changes)
    return ShardJob(split.shards()[shard], model, EXACT, classes=10, batch_size=4)


def child_of(slot: Slot) -> int:
    assert slot.pid is not None
    return slot.pid


def is_locked(device: Device) -> bool:
    lock = FileLock(lock_file(device), timeout=0)
    try:
        lock.acquire()
    except TimeoutError:
        return True
    lock.release()
    return False


def await_death(pid: int, seconds: float = 30) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_a_slot_predicts_in_a_process_of_its_own(split: ShardedSplit, tmp_path: Path) -> None:
    """One child serves the whole life of a slot: predictions, faults, and its end."""
    work = job(split, "sound", tmp_path)
    with slot_pool((CPU,)) as pool:
        assert not is_locked(CPU), "a slot starts at its first job"
        with slot_pool((CPU,)) as nested:
            assert nested is pool
        with pool.borrow() as slot:
            found = slot.predict(work)
            child = child_of(slot)
            assert child != os.getpid()
            assert is_locked(CPU)
            with pytest.raises(ModelError, match=r"model nan, batch from made_000: .* NaN"):
                slot.predict(job(split, "nan", tmp_path))
            lost = job(split, "sound", tmp_path, shard=1)
            (tmp_path / "artifacts" / lost.shard.path).write_bytes(b"short")
            with pytest.raises(ShardError, match=r"has 5 bytes instead of \d+"):
                slot.predict(lost)
            with pytest.raises(ModelError, match="cannot be built: LookupError: the factory has"):
                slot.predict(job(split, "failing", tmp_path))
            assert child_of(slot) == child, "a fault in a job is no reason to start anew"
            assert slot.predict(work).predictions.equals(found.predictions)
            os.kill(child, signal.SIGKILL)
            assert await_death(child)
            assert slot.predict(work).predictions.equals(found.predictions)
            replaced = child_of(slot)
            assert replaced != child
    assert await_death(replaced), "the pool has closed"
    assert not is_locked(CPU)
    here = Engine.load(work.model, EXACT, "cpu").predict(work.shard.read(), 10, 4, 1)
    assert here.predictions.equals(found.predictions)
    assert here.scores is not None
    assert here.scores.equals(found.scores)


def test_a_process_that_is_lost_at_work_costs_no_shard(split: ShardedSplit, tmp_path: Path) -> None:
    """Told to end, poisoned, killed: each time another process takes over."""
    marker = tmp_path / "marker"
    arguments = {"marker": str(marker)}
    lost: list[int] = []

    def terminate() -> None:
        while not marker.exists() or not marker.read_text():
            time.sleep(0.01)
        os.kill(int(marker.read_text()), signal.SIGTERM)

    with slot_pool((CPU,)) as pool, pool.borrow() as slot:
        terminating = threading.Thread(target=terminate)
        terminating.start()
        expected = slot.predict(job(split, "lingering", tmp_path, arguments=arguments)).predictions
        terminating.join()
        lost.append(int(marker.read_text()))
        for factory in ("poisoned_once", "deadly_once"):
            lost.append(child_of(slot))
            work = job(split, factory, tmp_path, arguments=arguments)
            assert slot.predict(work).predictions.equals(expected)
            assert not marker.exists()
            marker.touch()
        marker.unlink()
        lost.append(child_of(slot))
        os.kill(lost[-1], signal.SIGTERM)
        assert await_death(lost[-1]), "with nothing in hand it ends at once"
        assert len(set(lost)) == len(lost)
        assert all(await_death(pid) for pid in lost)
        assert not slot.is_lost


def test_a_process_without_memory_for_a_batch_halves_it(
    split: ShardedSplit, tmp_path: Path
) -> None:
    """The limit is the system's: three images at once are too much for it, two are not.

    It is of addresses, of which Arrow alone reserves a thousand megabytes.
    """
    needs = {"megabytes": 6000, "each": 2200}
    with slot_pool((CPU,)) as pool, pool.borrow() as slot:
        work = job(split, "limited", tmp_path, shard=1, arguments=needs)
        assert work.shard.rows.num_rows == 3
        found = slot.predict(work)
        child = child_of(slot)
        assert [told.split(";")[0] for told in found.news] == [
            "model limited: out of memory at 4 images"
        ]
        later = slot.predict(job(split, "limited", tmp_path, shard=2, arguments=needs))
        assert later.news == ()
        assert child_of(slot) == child, "nothing was lost"
    sound = job(split, "sound", tmp_path, shard=1)
    here = Engine.load(sound.model, EXACT, "cpu").predict(sound.shard.read(), 10, 4, 1)
    assert found.predictions.equals(here.predictions)


def test_a_closed_pool_interrupts_the_shard_in_hand(split: ShardedSplit, tmp_path: Path) -> None:
    """What Ctrl-C and SIGTERM do to the threads of a flow."""
    marker = tmp_path / "pid"
    work = job(split, "lingering", tmp_path, arguments={"marker": str(marker)})
    told: list[str] = []

    def predict(slot: Slot) -> None:
        with pytest.raises(StoppedError) as stopped:
            slot.predict(work)
        told.append(str(stopped.value))

    def interrupted() -> None:
        with slot_pool((CPU,)), slot_pool((CPU,)) as pool, pool.borrow() as slot:
            thread = threading.Thread(target=predict, args=(slot,))
            thread.start()
            while not marker.exists():
                time.sleep(0.01)
            try:
                raise KeyboardInterrupt
            finally:
                threads.append(thread)

    threads: list[threading.Thread] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    threads[0].join(10)
    assert told == ["interrupted; what is finished is kept, run again for the rest"]


@pytest.mark.system
def test_a_job_that_always_kills_is_given_up(split: ShardedSplit, tmp_path: Path) -> None:
    work = job(split, "deadly", tmp_path)
    with slot_pool((CPU,)) as pool, pool.borrow() as slot:
        with pytest.raises(ShardError) as refused:
            slot.predict(work)
        message = str(refused.value)
        assert message.startswith(f"the engine process on cpu:0 was lost {ATTEMPTS} times over ")
        assert work.shard.entry.url in message
        assert "with model deadly, the last time because it was killed (SIGKILL)" in message
        assert "ran out of memory" in message
        sound = job(split, "sound", tmp_path)
        assert slot.predict(sound).predictions.num_rows == sound.shard.rows.num_rows


PARENT = """
import sys, threading
from pathlib import Path
from tasks.slots.devices import Device
from tasks.slots.pool import slot_pool
from tests.tasks.slots.test_pool import FOLDER, ShardedSplit, Store, child_of, job

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    split = ShardedSplit.open(Store.at(folder / "artifacts"), FOLDER)
    with slot_pool((Device("cpu", 0, 1),)) as pool, pool.borrow() as slot:
        slot.predict(job(split, "sound", folder))
        print(child_of(slot), flush=True)
        threading.Event().wait()
"""


@pytest.mark.system
def test_the_process_ends_with_its_killed_parent(split: ShardedSplit, tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment,
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert is_locked(CPU)
        parent.kill()
    assert await_death(child)
    # Its main thread is gone before its last thread lets go of the files.
    lock = FileLock(lock_file(CPU))
    lock.acquire(timeout=10)
    lock.release()


def test_pools_of_other_devices_are_their_own() -> None:
    other = Device("cpu", 1, 1)
    with slot_pool((CPU,)) as pool, slot_pool((other,)) as inner:
        assert inner is not pool
        assert inner.devices == (other,)
    with slot_pool((CPU,)) as later:
        assert later is not pool


def test_a_slot_has_one_borrower_at_a_time() -> None:
    order: list[str] = []
    with slot_pool((CPU, Device("cpu", 1, 1))) as pool:
        with pool.borrow() as first, pool.borrow() as second:
            assert first is not second

            def wait_for_one() -> None:
                with pool.borrow():
                    order.append("third")

            waiting = threading.Thread(target=wait_for_one)
            waiting.start()
            time.sleep(0.2)
            order.append("still two")
        waiting.join(5)
    assert order == ["still two", "third"]


def test_a_slot_comes_back_when_its_borrower_fails() -> None:
    with slot_pool((CPU,)) as pool:
        with pytest.raises(RuntimeError, match="mine"), pool.borrow() as slot:
            raise RuntimeError("mine")
        with pool.borrow() as again:
            assert again is slot


def test_a_slot_is_ready_when_its_device_is_free(split: ShardedSplit, tmp_path: Path) -> None:
    holder = FileLock(lock_file(CPU))
    holder.acquire()
    with slot_pool((CPU,)) as pool, pool.borrow() as slot:
        assert not slot.is_ready(within=0)
        assert not slot.is_ready(within=3)
        holder.release()
        assert slot.is_ready(within=60)
        assert slot.is_ready(within=0), "as long as the process lives"
        assert slot.predict(job(split, "sound", tmp_path)).predictions.num_rows
