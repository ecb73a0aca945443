"""The real client of MLflow, and a registry in a database."""

import importlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from shards.errors import ModelError
from tests.support import remote_weights
from tests.support.fetching import fetched
from tests.support.remote_weights import Place

ADDRESS = f"models:/pets@champion/{remote_weights.FILE}"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with remote_weights.mlflow(tmp_path_factory.mktemp("mlflow")) as place:
        place.put(b"one")
        yield place


@pytest.fixture
def asked(registry: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    for name, value in registry.environment.items():
        monkeypatch.setenv(name, value)
    return registry


def test_an_alias_is_resolved_to_its_version(root: Path, asked: Place) -> None:
    found = fetched(root, ADDRESS)
    before = int(found.origin.rpartition(" ")[2])
    assert found.origin == f"{ADDRESS} at version {before}"
    assert fetched(root, ADDRESS) == found
    asked.put(b"two")
    moved = fetched(root, ADDRESS)
    assert moved.origin == f"{ADDRESS} at version {before + 1}"
    assert moved.path.read_bytes() == b"two"
    numbered = fetched(root, f"models:/pets/{before}/{remote_weights.FILE}")
    assert numbered.path.read_bytes() == found.path.read_bytes()


def test_its_client_is_imported_with_telemetry_off(
    root: Path, asked: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable counts when the client is imported, and not later."""
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY")
    found: list[str | None] = []
    plain = importlib.import_module

    def noted(name: str) -> object:
        found.append(os.environ.get("MLFLOW_DISABLE_TELEMETRY"))
        return plain(name)

    monkeypatch.setattr("tasks.weights.registry.importlib.import_module", noted)
    fetched(root, ADDRESS)
    assert set(found) == {"true"}


def test_all_artifacts_are_a_folder(root: Path, asked: Place) -> None:
    folder = fetched(root, "models:/pets@champion").path
    assert (folder / remote_weights.FILE).is_file()


@pytest.mark.parametrize(
    "address",
    [
        f"models:/pets@nobody/{remote_weights.FILE}",
        f"models:/cats@champion/{remote_weights.FILE}",
        f"models:/pets/999/{remote_weights.FILE}",
        "models:/pets@champion/none.bin",
    ],
)
def test_what_is_not_there(root: Path, asked: Place, address: str) -> None:
    with pytest.raises(ModelError) as refused:
        fetched(root, address)
    assert str(refused.value).startswith(f"model m: weights {address} cannot be had (")
    assert "\n" not in str(refused.value)
    assert not list(root.rglob("fetched.json"))


def test_without_a_registry_none_is_made(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MLFLOW_REGISTRY_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="MLFLOW_TRACKING_URI is not set"):
        fetched(root, ADDRESS)
    assert not list(tmp_path.iterdir())
