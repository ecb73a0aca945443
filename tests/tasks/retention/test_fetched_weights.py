"""Copies of weights that lie elsewhere go when nobody used them for long, and come back."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from shards.store import Store
from tasks.leases import held
from tasks.models.spec import ModelSpec
from tasks.retention.rules import Retention
from tasks.retention.words import lines
from tasks.retention.work import prune
from tasks.weights.kept import Fetched, fetch

RULES = Retention(unused_days=30)


@pytest.fixture
def memory() -> Iterator[MemoryFileSystem]:
    MemoryFileSystem.store.clear()
    yield MemoryFileSystem()
    MemoryFileSystem.store.clear()


def fetched(store: Store) -> Fetched:
    given = {"name": "mine", "loader": "module:a:b", "weights": "memory://w/best.bin"}
    found = fetch(store, ModelSpec.model_validate(given))
    assert found is not None
    return found


def test_what_nobody_used_for_long_goes_and_is_fetched_again(
    root: Path, memory: MemoryFileSystem
) -> None:
    store, now = Store.at(root), datetime.now(UTC)
    memory.pipe("/w/best.bin", b"one")
    old = fetched(store).path
    memory.pipe("/w/best.bin", b"two")
    new = fetched(store).path

    def pruned(days: int) -> list[str]:
        choice = prune(store, RULES, now + timedelta(days=days), delete=True)
        assert choice.foreign == 0
        return [r.why for r in choice.going if r.piece.place.kind == "weights"]

    assert pruned(29) == []
    choice = prune(store, RULES, now + timedelta(days=31), delete=False)
    (line,) = (line for line in lines(choice) if line.kind == "weights")
    assert (line.going, line.kept) == (2, 0)
    assert pruned(31) == ["fetched, and not used for 30 days"] * 2
    assert not old.exists()
    assert fetched(store).path == new
    assert new.read_bytes() == b"two"


def test_nothing_goes_while_a_night_works(root: Path, memory: MemoryFileSystem) -> None:
    store, now = Store.at(root), datetime.now(UTC)
    memory.pipe("/w/best.bin", b"one")
    fetched(store)
    rules = Retention(unused_days=0)
    with held(store, "night", []):
        choice = prune(store, rules, now + timedelta(minutes=1), delete=False)
    (why,) = [r.why for r in choice.kept if r.piece.place.kind == "weights"]
    assert why.startswith("in use: ")
