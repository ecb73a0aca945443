import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from shards.store import Store
from tasks.doctor.check import Check
from tasks.doctor.storage import Storage, check_storage, look_at
from tasks.layout import SplitName
from tasks.leases import Lease, held

GOOD = Storage("/r", clock_offset=1.0, free=100, needed=50)


@pytest.fixture(params=["local", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    yield Store.at(tmp_path / "root" if request.param == "local" else "memory://doctor")
    MemoryFileSystem.store.clear()


def states(storage: Storage) -> dict[str, str]:
    return {check.name: check.state for check in check_storage(storage)}


def found(storage: Storage, name: str) -> Check:
    (check,) = (check for check in check_storage(storage) if check.name == name)
    return check


def test_a_root_that_is_well(store: Store) -> None:
    seen = look_at(store, needed=1)
    wrong = {name for name, state in states(seen).items() if state in ("warning", "fault")}
    assert wrong == set()
    assert list(store.files()) == []
    assert store.names("") == []
    assert states(seen)["disk space"] == ("fine" if store.is_local else "skipped")


def test_a_root_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    seen = look_at(Store.at(tmp_path / "file"), needed=0)
    (check,) = check_storage(seen)
    assert (check.name, check.state) == ("artifact root", "fault")
    assert "cannot be written" in check.said


@pytest.mark.parametrize(
    ("free", "needed", "state"),
    [(100, 50, "fine"), (100, 90, "warning"), (100, 101, "fault"), (0, 0, "fine")],
)
def test_disk_space(free: int, needed: int, state: str) -> None:
    assert states(replace(GOOD, free=free, needed=needed))["disk space"] == state


@pytest.mark.parametrize(
    ("offset", "state"), [(59.0, "fine"), (-61.0, "fault"), (61.0, "fault"), (None, "skipped")]
)
def test_clocks(offset: float | None, state: str) -> None:
    assert states(replace(GOOD, clock_offset=offset))["clock of the root"] == state


def test_leftovers_and_leases_of_killed_processes(tmp_path: Path) -> None:
    store = Store.at(tmp_path)
    old = datetime.now(UTC) - timedelta(hours=2)
    dead = Lease(id="1", work="night", splits=(), who="a", host="h", pid=1, since=old, renewed=old)
    store.publish("leases/night-1.json", dead.to_json())
    hidden = tmp_path / ".x.tar.0123.partial"
    hidden.write_bytes(b"12")
    os.utime(hidden, (old.timestamp(), old.timestamp()))
    with held(store, "night", [SplitName("cifar10", "test")]):
        seen = look_at(store, needed=0)
    leases, leftovers = found(seen, "leases"), found(seen, "leftovers")
    assert (leases.state, leftovers.state) == ("warning", "warning")
    assert leases.said.startswith("1 of killed processes; night of cifar10/test (")
    assert leftovers.said == "1 file of killed writers (2 B)"
    assert "nightmark prune" in leases.remedy
    assert "nightmark prune" in leftovers.remedy


def test_a_lease_that_cannot_be_read(tmp_path: Path) -> None:
    store = Store.at(tmp_path)
    store.publish("leases/night-1.json", b"{}")
    assert found(look_at(store, needed=0), "leases").state == "warning"
