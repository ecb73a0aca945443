import csv
import re
import urllib.error
from pathlib import Path

import pytest
import torch
import torchvision
from torch import Tensor

from tasks.models.load import resolve
from tasks.models.loaders.from_torchvision import _own_arguments
from tasks.models.spec import Preprocessing
from tests.support.shared_data import SHARED, needs_shared
from tests.tasks.models.made import assert_equal, network_of, saved, spec, told


@pytest.mark.parametrize(
    ("loader", "expected"),
    [
        ("resnet18/IMAGENET1K_V1", Preprocessing(resize=256, crop=224)),
        ("resnet50/IMAGENET1K_V2", Preprocessing(resize=232, crop=224)),
        (
            "efficientnet_b0/IMAGENET1K_V1",
            Preprocessing(resize=256, crop=224, interpolation="bicubic"),
        ),
        ("convnext_tiny/DEFAULT", Preprocessing(resize=236, crop=224)),
    ],
)
def test_torchvisions_weights_carry_their_preprocessing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loader: str, expected: Preprocessing
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    architecture, weights = loader.split("/")
    url = str(torchvision.models.get_model_weights(architecture)[weights].url)
    cached = tmp_path / "hub/checkpoints" / url.rsplit("/", 1)[-1]
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"not read here")
    model = resolve(spec(loader=f"torchvision:{loader}", preprocessing=None, arguments={}))
    normalised = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    assert model.preprocessing == expected.model_copy(update=normalised)
    assert model.weights_file == cached


def test_a_checkpoint_of_torchvision_loads_from_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub/checkpoints"
    folder.mkdir(parents=True)
    torch.manual_seed(1)
    state = torchvision.models.resnet18().state_dict()
    saved(state, folder / "resnet18-f37072fd.pth")
    model = resolve(
        spec(loader="torchvision:resnet18/IMAGENET1K_V1", preprocessing=None, arguments={})
    )
    assert_equal(network_of(model).state_dict(), state)


@pytest.mark.parametrize("loader", ["resnet18/IMAGENET1K_V9", "resnet19/IMAGENET1K_V1"])
def test_weights_that_torchvision_does_not_have(loader: str) -> None:
    architecture, weights = loader.split("/")
    assert told(spec(loader=f"torchvision:{loader}", arguments={})) == (
        f"model m: torchvision has no weights {weights} for {architecture}"
    )


def test_no_network_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> None:
        raise urllib.error.URLError("Temporary failure in name resolution")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "urlopen", offline)
    message = told(spec(loader="torchvision:resnet18/IMAGENET1K_V1", arguments={}))
    assert str(tmp_path / "hub/checkpoints") in message
    assert message.endswith("put resnet18-f37072fd.pth there or give `weights`")
    assert "Temporary failure in name resolution" in message


def architectures() -> dict[str, str]:
    """The class of published weights → the architecture."""
    names = torchvision.models.list_models(module=torchvision.models)
    return {torchvision.models.get_model_weights(name).__name__: name for name in names}


def written(transform: str) -> Preprocessing:
    """The preprocessing as the table of the shared set writes it down."""

    def said(name: str, default: str) -> str:
        found = re.search(rf"{name}=(\S+?)(?:,|$)", transform)
        return found.group(1) if found else default

    half = "mean=(0.5, 0.5, 0.5" in transform
    return Preprocessing(
        resize=int(said("resize_size", "256")),
        crop=int(said("crop_size", "")),
        interpolation=said("interpolation", "x.bilinear").rpartition(".")[2].lower(),  # type: ignore[arg-type]
        mean=(0.5, 0.5, 0.5) if half else (0.485, 0.456, 0.406),
        std=(0.5, 0.5, 0.5) if half else (0.229, 0.224, 0.225),
    )


@needs_shared
def test_every_published_weight_resolves_to_the_preprocessing_in_the_table(tmp_path: Path) -> None:
    lines = (SHARED / "data/reference/torchvision_weights.tsv").read_text().splitlines()
    rows = list(csv.DictReader(lines, delimiter="\t"))
    assert len(rows) == 114
    file = saved({}, tmp_path / "w.pth")
    by_weights = architectures()
    for row in rows:
        loader = f"torchvision:{by_weights[row['weights']]}/{row['version']}"
        plain = {"preprocessing": None, "arguments": {}, "weights": file}
        model = resolve(spec(loader=loader, **plain))
        assert model.preprocessing == written(row["transform"]), loader


def as_trained(architecture: str) -> dict[str, Tensor]:
    """Random weights in the form of the published file."""
    torch.manual_seed(0)
    if architecture == "googlenet":
        network = torchvision.models.googlenet(aux_logits=True, init_weights=False)
        return network.state_dict()
    state = torchvision.models.get_model(architecture).state_dict()
    if architecture != "densenet121":
        return state
    # Published when parameters could still have a dot in their names.
    old = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))([12])")
    return {
        old.sub(r"\1.\2", name): tensor
        for name, tensor in state.items()
        if not name.endswith("num_batches_tracked")
    }


@pytest.mark.parametrize("architecture", ["googlenet", "densenet121", "mobilenet_v3_small"])
def test_a_published_network_is_that_of_torchvisions_own_builder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, architecture: str
) -> None:
    state = as_trained(architecture)
    file = saved(state, tmp_path / "w.pth")
    published = torchvision.models.get_model_weights(architecture)["IMAGENET1K_V1"]
    monkeypatch.setattr(
        type(published), "get_state_dict", lambda *_, **__: torch.load(file, weights_only=True)
    )
    theirs = torchvision.models.get_model(architecture, weights=published).eval()
    loader = f"torchvision:{architecture}/IMAGENET1K_V1"
    ours = network_of(resolve(spec(loader=loader, weights=file, arguments={}, preprocessing=None)))
    images = torch.rand(2, 3, 224, 224)
    with torch.inference_mode():
        assert torch.equal(ours(images), theirs(images))


def test_transformers_are_built_for_the_size_of_their_weights() -> None:
    weights = torchvision.models.ViT_B_16_Weights.IMAGENET1K_SWAG_E2E_V1
    assert _own_arguments("vit_b_16", weights) == {"image_size": 384}
    assert _own_arguments("vit_b_16", None) == {}
