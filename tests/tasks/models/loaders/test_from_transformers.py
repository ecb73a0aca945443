import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from shards.sample import ClassList
from tasks.models.labels import bind
from tasks.models.load import load, resolve
from tasks.models.preprocess import normalise, to_input
from tasks.models.spec import ModelSpec, Preprocessing
from tests.support.shared_data import SHARED, needs_shared
from tests.tasks.models.made import told

NAMES = ("cat", "dog", "bird")
PHOTO = SHARED / "data/imagenet/kaggle_cls_loc/ILSVRC/Data/CLS-LOC/val/ILSVRC2012_val_00000006.JPEG"
PROCESSOR = {
    "do_resize": True,
    "size": {"shortest_edge": 40},
    "resample": 3,
    "do_center_crop": True,
    "crop_size": {"height": 32, "width": 32},
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.5, 0.4, 0.3],
    "image_std": [0.2, 0.3, 0.4],
}


def saved(folder: Path, processor: dict[str, Any] | None = None, **config: Any) -> Path:
    """A tiny ResNet as transformers itself saves it."""
    torch.manual_seed(0)
    settings = {"id2label": dict(enumerate(NAMES)), "label2id": {n: i for i, n in enumerate(NAMES)}}
    network = transformers.ResNetForImageClassification(
        transformers.ResNetConfig(
            embedding_size=8,
            hidden_sizes=[8, 16],
            depths=[1, 1],
            layer_type="basic",
            **(settings | config),
        )
    )
    network.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(PROCESSOR | (processor or {})))
    return folder


def folder_spec(folder: Path, **changes: Any) -> ModelSpec:
    return ModelSpec.model_validate({"name": "m", "loader": f"transformers:{folder}", **changes})


def test_a_folder_brings_everything(tmp_path: Path) -> None:
    folder = saved(tmp_path / "hf")
    model = resolve(folder_spec(folder))
    assert model.spec.loader == "transformers"
    assert model.files == (folder / "model.safetensors", folder / "config.json")
    assert model.preprocessing == Preprocessing(
        resize=40, crop=32, interpolation="bicubic", mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4)
    )
    assert model.labels == NAMES
    theirs = transformers.ResNetForImageClassification.from_pretrained(folder).eval()
    images = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(load(model).scores(images), theirs(images).logits)
        mapped = load(bind(model, ClassList.of_names(("bird", "cat", "dog"))))
        torch.testing.assert_close(mapped.scores(images), theirs(images).logits[:, [2, 0, 1]])


@needs_shared
@pytest.mark.parametrize(
    "processor",
    [
        {},
        {"do_center_crop": False, "size": {"height": 48, "width": 32}, "resample": 2},
        {"do_rescale": False, "do_normalize": False},
        {"rescale_factor": 1 / 127.5, "image_mean": [1.0, 1.0, 1.0], "image_std": [1.0, 1.0, 1.0]},
    ],
)
def test_preprocessing_is_that_of_their_own_processor(
    tmp_path: Path, processor: dict[str, Any]
) -> None:
    folder = saved(tmp_path / "hf", processor)
    said = json.loads((folder / "preprocessor_config.json").read_text())
    with Image.open(PHOTO) as opened:
        # Square: where a margin is odd, theirs crops a pixel before the middle, ours behind it.
        photo = opened.convert("RGB").crop((0, 0, 240, 240))
    photo.save(tmp_path / "photo.png")
    found = transformers.ViTImageProcessor(**said)(photo, return_tensors="pt")["pixel_values"]
    preprocessing = resolve(folder_spec(folder)).preprocessing
    ours = normalise(
        [to_input((tmp_path / "photo.png").read_bytes(), preprocessing, "pil")],
        preprocessing,
        torch.device("cpu"),
    )
    step = 1 / (preprocessing.divisor * min(preprocessing.std))
    # Theirs resizes tensors, ours Pillow images: most pixels are equal, others a few steps off.
    difference = np.abs(ours.numpy() - np.asarray(found))
    assert ours.shape == found.shape
    assert np.median(difference) <= 1.01 * step
    assert difference.max() <= 12 * step


def test_other_forms_of_the_settings(tmp_path: Path) -> None:
    old = {"size": 40, "crop_size": 32}
    assert resolve(folder_spec(saved(tmp_path / "a", old))).preprocessing.resize == 40
    both = {"size": 40, "do_center_crop": False}
    assert resolve(folder_spec(saved(tmp_path / "b", both))).preprocessing.resize == (40, 40)
    convnext = {"size": {"shortest_edge": 224}, "crop_pct": 0.875, "do_flip_channel_order": True}
    found = resolve(folder_spec(saved(tmp_path / "c", convnext))).preprocessing
    assert (found.resize, found.channels) == (256, "bgr")


@pytest.mark.parametrize(
    "processor", [{"resample": 1}, {"rescale_offset": True}, {"size": {"max_pixels": 4}}]
)
def test_settings_without_a_word(tmp_path: Path, processor: dict[str, Any]) -> None:
    message = told(folder_spec(saved(tmp_path / "hf", processor)))
    assert "nightmark has no word for" in message
    assert message.endswith("give `preprocessing` yourself")


def test_classes_that_nobody_named(tmp_path: Path) -> None:
    folder = saved(tmp_path / "hf", id2label={0: "LABEL_0", 1: "LABEL_1"}, label2id={})
    assert resolve(folder_spec(folder)).labels is None


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    assert "is no folder" in told(folder_spec(tmp_path / "none"))
    folder = saved(tmp_path / "hf")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert "pickled weights are not loaded" in told(folder_spec(folder))
    (folder / "pytorch_model.bin").rename(folder / "model.safetensors")
    (folder / "config.json").write_text('{"architecture": "resnet18"}')
    assert told(folder_spec(folder)).endswith("it is a model of timm, write timm:resnet18")
    (folder / "config.json").write_text('{"architectures": ["NoSuch"], "model_type": "no-such"}')
    assert f"{folder} cannot be loaded by transformers" in told(folder_spec(folder))
    (folder / "config.json").write_text("{")
    assert "config.json cannot be read" in told(folder_spec(folder))


def test_truncated_weights(tmp_path: Path) -> None:
    folder = saved(tmp_path / "hf")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    assert f"{folder} cannot be loaded by transformers" in told(folder_spec(folder))
