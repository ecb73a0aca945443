import json
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import timm
import torch

from shards.sample import ClassList
from tasks.models.labels import bind
from tasks.models.load import load, resolve
from tasks.models.spec import ModelSpec, Preprocessing
from tests.tasks.models.made import saved, spec, told


def test_timms_configuration_is_carried(tmp_path: Path) -> None:
    path = saved({}, tmp_path / "w.pth")
    model = resolve(
        spec(loader="timm:tf_efficientnet_lite0", weights=path, preprocessing=None, arguments={})
    )
    half = (0.5, 0.5, 0.5)
    assert model.preprocessing == Preprocessing(
        resize=256, crop=224, interpolation="bicubic", mean=half, std=half
    )


CONFIG = {
    "mean": (0.4, 0.5, 0.6),
    "std": (0.1, 0.2, 0.3),
    "input_size": (3, 96, 96),
    "crop_pct": 0.9,
    "crop_mode": "center",
    "interpolation": "bilinear",
}


def hub_folder(folder: Path, **changes: Any) -> Path:
    """A checkpoint as timm itself saves it for the hub, with a configuration of its own."""
    torch.manual_seed(0)
    network = timm.create_model("test_resnet", num_classes=7)
    network.pretrained_cfg = {**network.pretrained_cfg, **CONFIG, **changes}
    timm.models._hub.save_for_hf(network, folder, safe_serialization=True)
    return folder


def timm_spec(weights: Path, **changes: Any) -> ModelSpec:
    plain = {"loader": "timm:test_resnet", "arguments": {}, "preprocessing": None}
    return spec(weights=weights, **{**plain, **changes})


@pytest.mark.parametrize("given", ["folder", "file"])
def test_a_checkpoint_of_the_hub_brings_its_configuration(tmp_path: Path, given: str) -> None:
    folder = hub_folder(tmp_path / "hub")
    model = resolve(timm_spec(folder if given == "folder" else folder / "model.safetensors"))
    assert model.preprocessing == Preprocessing(
        resize=106, crop=96, interpolation="bilinear", mean=CONFIG["mean"], std=CONFIG["std"]
    )
    assert model.weights_file == folder / "model.safetensors"
    assert model.more_files == (folder / "config.json",)
    assert load(model).scores(torch.rand(2, 3, 96, 96)).shape == (2, 7)


def test_the_configuration_is_part_of_the_model_version(tmp_path: Path) -> None:
    one = resolve(timm_spec(hub_folder(tmp_path / "one")))
    other = resolve(timm_spec(hub_folder(tmp_path / "other", notes=["another"])))
    assert one.preprocessing == other.preprocessing
    assert one.fingerprint != other.fingerprint


@pytest.mark.parametrize(
    ("mode", "size", "expected"),
    [
        ("squash", (3, 96, 64), {"resize": (106, 71), "crop": (96, 64)}),
        ("border", (3, 96, 96), {"resize": 106, "crop": 96, "fit": "longer"}),
    ],
)
def test_other_ways_to_crop(
    tmp_path: Path, mode: str, size: tuple[int, ...], expected: dict[str, Any]
) -> None:
    folder = hub_folder(tmp_path / "hub", crop_mode=mode, input_size=size)
    found = resolve(timm_spec(folder)).preprocessing
    assert {name: getattr(found, name) for name in expected} == expected


def test_metadata_of_safetensors(tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    state = timm.create_model("test_resnet", num_classes=7).state_dict()
    config = {"architecture": "test_resnet", "num_classes": 7, "pretrained_cfg": CONFIG}
    safetensors.torch.save_file(state, file, metadata={"config": json.dumps(config)})
    model = resolve(timm_spec(file))
    assert (model.preprocessing.mean, model.preprocessing.crop) == (CONFIG["mean"], 96)
    assert model.files == (file,)
    safetensors.torch.save_file(state, file, metadata={"pretrained_cfg": json.dumps(CONFIG)})
    assert resolve(timm_spec(file)).preprocessing == model.preprocessing


def test_names_of_the_classes_are_carried(tmp_path: Path) -> None:
    folder = hub_folder(tmp_path / "hub")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "label_names": list("abcdefg")}))
    found = resolve(timm_spec(folder))
    classes = ClassList.of_names(tuple("gfedcba"))
    assert found.labels == tuple("abcdefg")
    assert bind(found, classes).columns == (6, 5, 4, 3, 2, 1, 0)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"architecture": "resnet50", "pretrained_cfg": {}}', "write timm:resnet50"),
        ('{"architecture": "test_resnet.r1", "num', "cannot be read"),
        ('{"architecture": "test_resnet", "pretrained_cfg": 7}', "cannot be read"),
    ],
)
def test_a_configuration_that_cannot_be_used(tmp_path: Path, text: str, fault: str) -> None:
    folder = hub_folder(tmp_path / "hub")
    (folder / "config.json").write_text(text)
    message = told(timm_spec(folder))
    assert message.startswith("model m: ")
    assert fault in message


def test_a_configuration_of_another_library_says_nothing(tmp_path: Path) -> None:
    folder = hub_folder(tmp_path / "hub")
    (folder / "config.json").write_text('{"architectures": ["ViTForImageClassification"]}')
    model = resolve(timm_spec(folder, arguments={"num_classes": 7}))
    assert model.more_files == ()
    assert model.preprocessing.mean == (0.5, 0.5, 0.5)


def test_an_empty_folder(tmp_path: Path) -> None:
    assert told(timm_spec(tmp_path)) == (
        f"model m: {tmp_path} holds none of model.safetensors, pytorch_model.bin"
    )


def test_filters_without_a_word(tmp_path: Path) -> None:
    folder = hub_folder(tmp_path / "hub", interpolation="lanczos")
    assert told(timm_spec(folder)).endswith(
        "with lanczos interpolation; give `preprocessing` yourself"
    )
