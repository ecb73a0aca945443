import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from shards.errors import ShardError
from shards.store import Store
from tasks import leases
from tasks.layout import LEASES, SplitName
from tasks.leases import Lease, held, read_leases

SPLIT, OTHER = SplitName("cifar10", "test"), SplitName("cifar10", "train")


@pytest.fixture(params=["local", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "local":
        yield Store.at(tmp_path / "root")
        return
    MemoryFileSystem.store.clear()
    yield Store.at("memory://leases")
    MemoryFileSystem.store.clear()


def test_a_lease_is_there_inside_the_block_alone(store: Store) -> None:
    with held(store, "night", [SPLIT, OTHER]):
        (found,) = read_leases(store)
        assert found.is_live(datetime.now(UTC))
        assert (found.work, found.pid) == ("night", os.getpid())
        assert found.splits == ("cifar10/test", "cifar10/train")
        assert str(found).startswith("night of cifar10/test, cifar10/train (")
    assert store.names(LEASES) == []


def test_it_goes_with_an_error_too(store: Store) -> None:
    with pytest.raises(KeyError), held(store, "build", [SPLIT]):
        raise KeyError
    assert read_leases(store) == []


def test_what_is_held_around_suffices(store: Store) -> None:
    with held(store, "night", [SPLIT, OTHER]):
        with held(store, "build", [OTHER]):
            assert [lease.work for lease in read_leases(store)] == ["night"]
        with held(store, "build", [SplitName("mnist", "test")]):
            assert sorted(lease.work for lease in read_leases(store)) == ["build", "night"]
        assert [lease.work for lease in read_leases(store)] == ["night"]


# fsspec's memory shows a file that is still being written; disks and object stores do not.
def test_it_is_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store.at(tmp_path)
    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.01)
    with held(store, "night", [SPLIT]):
        (first,) = read_leases(store)
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            (later,) = read_leases(store)
            if later.renewed > first.renewed:
                break
        assert later.renewed > first.renewed
        assert later.since == first.since


def test_it_is_renewed_whatever_a_client_raised_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, write, refused = Store.at(tmp_path), leases._write, threading.Event()

    def write_but_once_refuse(at: Store, mine: Lease) -> None:
        if mine.renewed > mine.since and not refused.is_set():
            refused.set()
            raise RuntimeError("the client of an object store lost its connection")
        write(at, mine)

    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.01)
    monkeypatch.setattr(leases, "_write", write_but_once_refuse)
    with held(store, "night", [SPLIT]):
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            (found,) = read_leases(store)
            if found.renewed > found.since:
                break
        assert refused.is_set()
        assert found.renewed > found.since


def test_one_that_is_not_renewed_is_stale(store: Store) -> None:
    with held(store, "night", [SPLIT]):
        (found,) = read_leases(store)
    assert found.is_live(found.renewed + timedelta(seconds=179))
    assert not found.is_live(found.renewed + timedelta(seconds=180))


def test_work_waits_for_a_prune_and_a_prune_for_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store.at(tmp_path)
    monkeypatch.setattr(leases, "PAUSE_SECONDS", 0.01)
    seen: list[str] = []

    def night() -> None:
        with held(store, "night", [SPLIT]):
            seen.append("night")

    with held(store, "prune", []):
        waiting = threading.Thread(target=night)
        waiting.start()
        deadline = time.monotonic() + 5
        while len(read_leases(store)) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        with held(store, "prune", []):
            pass
        assert {lease.work for lease in read_leases(store)} == {"night", "prune"}
        assert seen == []
        seen.append("prune")
    waiting.join(5)
    assert seen == ["prune", "night"]
    assert "waiting for the end of prune (" in capsys.readouterr().err


def test_a_killed_prune_is_not_waited_for(store: Store) -> None:
    now = datetime.now(UTC) - timedelta(hours=1)
    dead = Lease(id="1", work="prune", splits=(), who="a", host="h", pid=1, since=now, renewed=now)
    store.publish("leases/prune-1.json", dead.to_json())
    with held(store, "night", [SPLIT]):
        assert len(read_leases(store)) == 2


def test_a_lease_that_is_none_is_named(store: Store) -> None:
    store.publish("leases/night-x.json", b"{}")
    with held(store, "night", [SPLIT]):
        pass
    with pytest.raises(ShardError, match=r"leases/night-x\.json is no Lease"):
        read_leases(store)


HOLDER = """
import sys, time
from shards.store import Store
from tasks.layout import SplitName
from tasks.leases import held
with held(Store.at(sys.argv[1]), "night", [SplitName("cifar10", "test")]):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_killed_holder_leaves_a_lease_that_becomes_stale(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, cwd=request.config.rootpath, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        holder.send_signal(signal.SIGKILL)
    (left,) = read_leases(Store.at(tmp_path))
    assert left.pid == holder.pid
    assert not left.is_live(datetime.now(UTC) + timedelta(seconds=180))
