"""The real client of the Hugging Face hub, and a server that speaks its protocol."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shards.errors import ModelError
from tests.support.fetching import fetched
from tests.support.hub import LoopbackHub, serving_hub

constants = pytest.importorskip("huggingface_hub.constants")
MODEL = b"tensors"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    with serving_hub() as served:
        # As HF_ENDPOINT would, which is read but once in a process.
        monkeypatch.setattr(constants, "ENDPOINT", served.url)
        template = served.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield served


def test_a_branch_is_resolved_to_its_commit(root: Path, hub: LoopbackHub) -> None:
    first = hub.commit("my-org/pets", {"sub/model.safetensors": b"one", "README.md": b"#"})
    address = "hf://my-org/pets@main/sub/model.safetensors"
    found = fetched(root, address)
    assert found.origin == f"{address} at commit {first}"
    assert found.path.read_bytes() == b"one"
    assert hub.fetched() == ["sub/model.safetensors"]
    hub.requests.clear()
    assert fetched(root, address) == found
    assert len(hub.requests) == 1, "one request tells that nothing changed"

    other = hub.commit("my-org/pets", {"sub/model.safetensors": b"one", "README.md": b"##"})
    moved = fetched(root, address)
    assert moved.origin == f"{address} at commit {other}"
    assert (moved.path, hub.fetched()) == (found.path, []), "the same bytes are not fetched again"

    last = hub.commit("my-org/pets", {"sub/model.safetensors": b"two"})
    assert fetched(root, address).path.read_bytes() == b"two"
    pinned = fetched(root, f"hf://my-org/pets@{first}/sub/model.safetensors")
    assert (pinned.path.read_bytes(), last != first) == (b"one", True)


def test_tags_and_branches_with_a_slash(root: Path, hub: LoopbackHub) -> None:
    hub.commit("my-org/pets", {"model.safetensors": b"tagged"}, branch="v1.0")
    hub.commit("my-org/pets", {"model.safetensors": b"tried"}, branch="try/this")
    tagged = fetched(root, "hf://my-org/pets@v1.0/model.safetensors")
    tried = fetched(root, "hf://my-org/pets@try%2Fthis/model.safetensors")
    assert (tagged.path.read_bytes(), tried.path.read_bytes()) == (b"tagged", b"tried")


def test_a_repository_is_a_folder_without_pickles(root: Path, hub: LoopbackHub) -> None:
    files = {
        "model.safetensors": MODEL,
        "config.json": b"{}",
        "pytorch_model.bin": b"pickle",
        "modeling.py": b"",
        "onnx/config.json": b"{}",
    }
    hub.commit("my-org/pets", files)
    folder = fetched(root, "hf://my-org/pets").path
    assert {path.name for path in folder.iterdir()} == {
        *("model.safetensors", "config.json", "fetched.json")
    }
    assert (folder / "model.safetensors").read_bytes() == MODEL
    below = fetched(root, "hf://my-org/pets@main/onnx/").path
    assert {path.name for path in below.iterdir()} == {"config.json", "fetched.json"}


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("hf://my-org/pets@main/none.safetensors", "has no none.safetensors"),
        ("hf://my-org/pets@v9/model.safetensors", "RevisionNotFoundError"),
        ("hf://my-org/pets/none/", "has no safetensors in /none/"),
    ],
)
def test_what_is_not_there(root: Path, hub: LoopbackHub, address: str, fault: str) -> None:
    hub.commit("my-org/pets", {"model.safetensors": MODEL})
    with pytest.raises(ModelError, match=fault) as refused:
        fetched(root, address)
    assert f"model m: weights {address} cannot be had" in str(refused.value)


def test_a_hub_that_is_away(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelError, match="HF_ENDPOINT, HF_HUB_OFFLINE") as refused:
        fetched(root, "hf://my-org/pets/model.safetensors")
    assert "\n" not in str(refused.value)
