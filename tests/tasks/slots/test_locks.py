import os
import tempfile
from pathlib import Path

import pytest
from filelock import FileLock

from tasks.slots import locks
from tasks.slots.devices import Device
from tasks.slots.locks import lock, lock_file

WHOLE = Device("cuda", 2, 1)
SHARES = (Device("cuda", 2, 1, 0), Device("cuda", 2, 1, 1))


@pytest.fixture(autouse=True)
def private_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(locks, "PATIENCE_SECONDS", 0.01)
    monkeypatch.setattr(locks, "PAUSE_SECONDS", 0.001)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a slot would wait, the test is told."""
    locked = locks.fcntl.flock

    def flock(file, kind: int) -> None:
        locked(file, kind | locks.fcntl.LOCK_NB)

    monkeypatch.setattr(locks.fcntl, "flock", flock)


def close(held: tuple) -> None:
    for file in held:
        file.close()


def test_the_lock_is_this_users_own(tmp_path: Path) -> None:
    path = lock_file(WHOLE)
    assert path == tmp_path / f"nightmark-{os.getuid()}" / "cuda-2.lock"
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_device_has_one_slot_at_a_time(capsys: pytest.CaptureFixture[str]) -> None:
    held = lock(WHOLE)
    with pytest.raises(BlockingIOError):
        lock(WHOLE)
    assert "waiting for cuda:2: another nightmark process is using it" in capsys.readouterr().err
    assert lock(Device("cuda", 1, 1))
    close(held)
    close(lock(WHOLE))


def test_shares_run_side_by_side_and_each_once() -> None:
    first, second = lock(SHARES[0]), lock(SHARES[1])
    for share in SHARES:
        with pytest.raises(BlockingIOError):
            lock(share)
    close(first)
    close(lock(SHARES[0]))
    close(second)


@pytest.mark.parametrize(("one", "other"), [(WHOLE, SHARES[1]), (SHARES[1], WHOLE)])
def test_who_has_a_device_alone_shares_it_with_nobody(one: Device, other: Device) -> None:
    held = lock(one)
    with pytest.raises(BlockingIOError):
        lock(other)
    close(held)
    close(lock(other))


def test_filelock_knows_these_locks() -> None:
    held = lock(WHOLE)
    with pytest.raises(TimeoutError):
        FileLock(lock_file(WHOLE), timeout=0).acquire()
    close(held)
