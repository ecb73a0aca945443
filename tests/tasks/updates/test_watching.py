"""Files are read when they changed and stand still, and only then."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from shards.errors import ModelError
from shards.store import Store
from tasks.models.digests import files_sha256
from tasks.models.spec import ModelSpec, Preprocessing, ResolvedModel
from tasks.updates import watching
from tasks.updates.watching import Look, SeenFile, look_at, read_seen
from tasks.weights.kept import Fetched


class Resolver:
    """Resolves a spec to its one file, and counts how often."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, spec: ModelSpec, fetched: Fetched | None) -> ResolvedModel:
        self.calls += 1
        if fetched is not None:
            spec = spec.model_copy(update={"weights": fetched.path})
        assert isinstance(spec.weights, Path)
        files = sorted(spec.weights.iterdir()) if spec.weights.is_dir() else [spec.weights]
        if not files:
            raise ModelError(f"model {spec.name}: {spec.weights} is empty")
        return ResolvedModel(
            spec=spec,
            preprocessing=Preprocessing(),
            weights_file=files[0],
            weights_sha256=files_sha256(files),
            more_files=tuple(files[1:]),
        )


def spec_of(weights: Path, revision: str = "") -> ModelSpec:
    return ModelSpec(name="m", loader="module:x:y", weights=weights, revision=revision)


def look(root: Path, spec: ModelSpec, resolver: Resolver) -> Look:
    return look_at(Store.at(root), "plan", spec, resolver, settle_seconds=0.0)


def test_only_what_changed_is_read(root: Path, tmp_path: Path) -> None:
    weights, resolver = tmp_path / "w.bin", Resolver()
    weights.write_bytes(b"one")
    first = look(root, spec_of(weights), resolver)
    assert (first.state, resolver.calls) == ("read", 1)
    assert look(root, spec_of(weights), resolver).state == "known"
    assert resolver.calls == 1, "nothing was read again"
    weights.write_bytes(b"two!")
    second = look(root, spec_of(weights), resolver)
    assert first.seen is not None
    assert second.seen is not None
    assert second.seen.fingerprint != first.seen.fingerprint
    assert read_seen(Store.at(root), "plan", "m") == second.seen
    assert look(root, spec_of(weights, revision="2"), resolver).state == "read", "a new plan, too"


def test_a_touched_file_of_equal_bytes_is_read_and_the_same(root: Path, tmp_path: Path) -> None:
    weights, resolver = tmp_path / "w.bin", Resolver()
    weights.write_bytes(b"one")
    before = look(root, spec_of(weights), resolver).seen
    os.utime(weights, ns=(1, 1))
    after = look(root, spec_of(weights), resolver)
    assert (after.state, resolver.calls) == ("read", 2)
    assert before is not None
    assert after.seen is not None
    assert after.seen.fingerprint == before.fingerprint


@pytest.mark.parametrize("moment", ["waiting", "reading"])
def test_a_file_still_being_written_is_left_alone(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    weights, resolver = tmp_path / "w.bin", Resolver()
    weights.write_bytes(b"one")

    def write_on(_: object = None) -> None:
        with weights.open("ab") as file:
            file.write(b"more")

    def resolve_while_writing(spec: ModelSpec, fetched: Fetched | None) -> ResolvedModel:
        model = resolver(spec, fetched)
        write_on()
        return model

    if moment == "waiting":
        monkeypatch.setattr(watching.time, "sleep", write_on)
    resolve = resolver if moment == "waiting" else resolve_while_writing
    found = look_at(Store.at(root), "plan", spec_of(weights), resolve, settle_seconds=0.0)
    assert found.state == "unsettled"
    assert "still being written" in found.sentence
    assert read_seen(Store.at(root), "plan", "m") is None
    assert resolver.calls == (moment == "reading")


def test_what_is_written_once_it_was_read_is_seen_by_the_next_look(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights, resolver, stat = tmp_path / "w.bin", Resolver(), watching._stat
    weights.write_bytes(b"one")
    calls = []

    def write_after_the_last(paths: tuple[Path, ...]) -> tuple[SeenFile, ...]:
        found = stat(paths)
        calls.append(paths)
        if len(calls) == 3:
            weights.write_bytes(b"another")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(watching, "_stat", write_after_the_last)
        first = look(root, spec_of(weights), resolver)
    second = look(root, spec_of(weights), resolver)
    assert (first.state, second.state) == ("read", "read")
    assert first.seen is not None
    assert second.seen is not None
    assert second.seen.fingerprint != first.seen.fingerprint


def test_a_folder_is_watched_with_what_comes_into_it(root: Path, tmp_path: Path) -> None:
    folder, resolver = tmp_path / "model", Resolver()
    folder.mkdir()
    (folder / "a.bin").write_bytes(b"a")
    look(root, spec_of(folder), resolver)
    assert look(root, spec_of(folder), resolver).state == "known"
    (folder / "b.bin").write_bytes(b"b")
    assert look(root, spec_of(folder), resolver).state == "read"


def test_what_cannot_be_looked_at_says_why(root: Path, tmp_path: Path) -> None:
    missing = look(root, spec_of(tmp_path / "gone.bin"), Resolver())
    assert missing.state == "unusable"
    assert "gone.bin" in missing.sentence
    (tmp_path / "empty").mkdir()
    assert "is empty" in look(root, spec_of(tmp_path / "empty"), Resolver()).sentence


ELSEWHERE = "memory://watched/w.bin"


@pytest.fixture
def elsewhere() -> Iterator[MemoryFileSystem]:
    MemoryFileSystem.store.clear()
    yield MemoryFileSystem()
    MemoryFileSystem.store.clear()


def spec_elsewhere() -> ModelSpec:
    given = {"name": "m", "loader": "module:x:y", "weights": ELSEWHERE}
    return ModelSpec.model_validate(given)


def test_weights_elsewhere_are_fetched_when_their_revision_is_another(
    root: Path, elsewhere: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolver = Resolver()
    elsewhere.pipe("/watched/w.bin", b"one")
    first = look(root, spec_elsewhere(), resolver)
    assert (first.state, resolver.calls) == ("read", 1)
    with monkeypatch.context() as patch:
        patch.setattr(watching, "fetch_stamped", lambda *_: pytest.fail("fetched"))
        patch.setattr(watching.time, "sleep", lambda _: pytest.fail("waited"))
        assert look(root, spec_elsewhere(), resolver).state == "known"
    elsewhere.pipe("/watched/w.bin", b"two")
    second = look(root, spec_elsewhere(), resolver)
    assert (second.state, resolver.calls) == ("read", 2)
    assert first.seen is not None
    assert second.seen is not None
    assert second.seen.fingerprint != first.seen.fingerprint
    assert read_seen(Store.at(root), "plan", "m") == second.seen


def test_weights_that_are_still_arriving_elsewhere_are_left_alone(
    root: Path, elsewhere: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolver = Resolver()
    elsewhere.pipe("/watched/w.bin", b"on")
    with monkeypatch.context() as patch:
        patch.setattr(watching.time, "sleep", lambda _: elsewhere.pipe("/watched/w.bin", b"one"))
        found = look(root, spec_elsewhere(), resolver)
    assert (found.state, resolver.calls) == ("unsettled", 0)
    assert "still being written" in found.sentence
    assert look(root, spec_elsewhere(), resolver).state == "read"


def test_weights_that_move_are_the_same_model(
    root: Path, tmp_path: Path, elsewhere: MemoryFileSystem
) -> None:
    (tmp_path / "w.bin").write_bytes(b"one")
    elsewhere.pipe("/watched/w.bin", b"one")
    local = look(root, spec_of(tmp_path / "w.bin"), Resolver()).seen
    moved = look(root, spec_elsewhere(), Resolver()).seen
    assert local is not None
    assert moved is not None
    assert moved.fingerprint == local.fingerprint


def test_a_store_that_is_away_says_why(root: Path, elsewhere: MemoryFileSystem) -> None:
    found = look(root, spec_elsewhere(), Resolver())
    assert found.state == "unusable"
    assert f"model m: weights {ELSEWHERE} cannot be had" in found.sentence
