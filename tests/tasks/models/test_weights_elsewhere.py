"""From an address to a model that can be run; what is fetched is trusted no more than a file."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from fsspec.implementations.memory import MemoryFileSystem
from torch import nn

from shards.errors import ModelError
from shards.store import Store
from tasks.models.load import load, resolve
from tasks.models.spec import ModelSpec, ResolvedModel
from tasks.weights.kept import fetch
from tests.support.hub import serving_hub
from tests.tasks.models.made import network_of, saved, small_state, spec


@pytest.fixture
def memory() -> Iterator[MemoryFileSystem]:
    MemoryFileSystem.store.clear()
    yield MemoryFileSystem()
    MemoryFileSystem.store.clear()


def at_hand(root: Path, given: ModelSpec) -> ResolvedModel:
    return resolve(given, fetch(Store.at(root), given))


def test_the_model_is_the_same_wherever_it_lies(
    root: Path, tmp_path: Path, memory: MemoryFileSystem
) -> None:
    file = saved(small_state(), tmp_path / "w.pth")
    memory.pipe("/w/w.pth", file.read_bytes())
    local, remote = resolve(spec(weights=file)), at_hand(root, spec(weights="memory://w/w.pth"))
    assert remote.fingerprint == local.fingerprint
    assert (local.origin, remote.origin.partition(" at ")[0]) == ("", "memory://w/w.pth")
    assert remote.weights_file != file
    (one, other) = (network_of(model).state_dict() for model in (local, remote))
    assert all(torch.equal(one[name], other[name]) for name in one)


class Danger(nn.Module):
    """Something that only a free unpickler would load."""


def test_a_pickle_is_not_loaded_for_being_fetched(root: Path, memory: MemoryFileSystem) -> None:
    file = saved(Danger(), root.parent / "w.pth")
    memory.pipe("/w/w.pth", file.read_bytes())
    model = at_hand(root, spec(weights="memory://w/w.pth"))
    with pytest.raises(ModelError, match="holds Python objects, not only tensors"):
        load(model)


def test_an_exported_program_must_be_vouched_for(root: Path, memory: MemoryFileSystem) -> None:
    memory.pipe("/w/m.pt2", b"PK")
    with pytest.raises(ModelError, match="say `trusted: true`"):
        at_hand(root, spec(loader="export:memory://w/m.pt2", arguments={}))


def test_what_was_not_fetched_is_no_file() -> None:
    with pytest.raises(ModelError, match=r"memory://w/w\.pth: no such file"):
        resolve(spec(weights="memory://w/w.pth"))


def test_a_repository_of_the_hub_is_a_model(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transformers = pytest.importorskip("transformers")
    from huggingface_hub import constants

    torch.manual_seed(0)
    config = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", num_labels=3
    )
    network = transformers.ResNetForImageClassification(config).eval()
    network.save_pretrained(tmp_path / "pets")
    files = {path.name: path.read_bytes() for path in (tmp_path / "pets").iterdir()}
    given = spec(loader="transformers:hf://my-org/pets@v1", arguments={})
    with serving_hub() as hub, monkeypatch.context() as patch:
        patch.setattr(constants, "ENDPOINT", hub.url)
        template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        commit = hub.commit("my-org/pets", files, branch="v1")
        model = at_hand(root, given)
        assert model.origin == f"hf://my-org/pets@v1 at commit {commit}"
        images = torch.rand(2, 3, 32, 32)
        with torch.inference_mode():
            found = load(model).scores(images)
            torch.testing.assert_close(found, network(images).logits)
        # The loader keeps transformers off the hub, and not what fetches from there.
        hub.commit("my-org/pets", {**files, "config.json": files["config.json"] + b" "}, "v1")
        assert at_hand(root, given).fingerprint != model.fingerprint
