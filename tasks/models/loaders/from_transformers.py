"""``transformers:FOLDER``: an image classifier as Hugging Face's libraries save it.

Local files only, safetensors only, no code out of the folder. Needs the extra ``transformers``.
"""

import json
import os
from functools import partial
from pathlib import Path
from typing import Any, cast

from torch import Tensor, nn

from shards.errors import ModelError
from tasks.models.adapter import Adapter, ModuleAdapter
from tasks.models.foreign import first_line, from_extra
from tasks.models.labels import LabelEntry
from tasks.models.loaders.loader import Found, Loader, local_path
from tasks.models.spec import Interpolation, ModelSpec, Preprocessing, ResolvedModel

EXTRA = "transformers"
CONFIG, PREPROCESSOR = "config.json", "preprocessor_config.json"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
RESAMPLE: dict[int, Interpolation] = {0: "nearest", 2: "bilinear", 3: "bicubic"}
"""Pillow's numbers of the filters that nightmark knows."""
WITHOUT_A_WORD = ("rescale_offset", "include_top", "do_pad", "do_thumbnail", "do_align_long_axis")
"""Further steps of image processors."""
UNNAMED = "LABEL_"
"""What transformers calls the classes of a model that nobody named."""


class Logits(nn.Module):
    """A classifier of transformers that returns its logits alone."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images: Tensor) -> Tensor:
        return cast("Tensor", self.classifier(pixel_values=images).logits)


def _find(spec: ModelSpec) -> Found:
    folder = local_path(spec)
    if folder is None or not folder.is_dir():
        raise ModelError(
            f"model {spec.name}: {spec.weights} is no folder; write transformers:FOLDER"
        )
    config = _read_json(folder / CONFIG, spec.name)
    if "architectures" not in config:
        hint = "; it is a model of timm, write timm:" if "architecture" in config else ""
        hint += str(config.get("architecture", ""))
        raise ModelError(f"model {spec.name}: {folder / CONFIG} is not of transformers{hint}")
    files = (*_weights(folder, spec.name), folder / CONFIG)
    carried = folder / PREPROCESSOR
    read = partial(_preprocessing, carried, spec.name) if carried.is_file() else None
    return Found(files, read, _labels(config))


def _weights(folder: Path, name: str) -> tuple[Path, ...]:
    if (folder / WEIGHTS).is_file():
        return (folder / WEIGHTS,)
    if (folder / INDEX).is_file():
        shards = sorted(set(_read_json(folder / INDEX, name)["weight_map"].values()))
        return tuple(folder / shard for shard in shards)
    raise ModelError(
        f"model {name}: {folder} has no {WEIGHTS}; pickled weights are not loaded, save the model "
        f"again with safe serialization"
    )


def _labels(config: dict[str, Any]) -> tuple[LabelEntry, ...] | None:
    names = config.get("id2label") or {}
    by_output = {int(output): str(name) for output, name in names.items()}
    if not by_output or sorted(by_output) != list(range(len(by_output))):
        return None
    if all(name.startswith(UNNAMED) for name in by_output.values()):
        return None
    return tuple(by_output[output] for output in range(len(by_output)))


def _preprocessing(file: Path, name: str) -> Preprocessing:
    """What the image processor does, in our words.

    Raises:
        ModelError: it does something for which there is no word.
    """
    said = _read_json(file, name)
    try:
        return _in_our_words(said)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"model {name}: {file} asks for preprocessing that nightmark has no word for "
            f"({first_line(error)}); give `preprocessing` yourself"
        ) from error


def _in_our_words(said: dict[str, Any]) -> Preprocessing:
    if unknown := [word for word in WITHOUT_A_WORD if said.get(word)]:
        raise ValueError(", ".join(unknown))
    words: dict[str, Any] = {"interpolation": RESAMPLE[said.get("resample", 2)]}
    if said.get("do_resize", True):
        words["resize"] = _resize(said)
    if said.get("do_center_crop"):
        words["crop"] = _size(said["crop_size"])
    if said.get("do_flip_channel_order"):
        words["channels"] = "bgr"
    factor = said.get("rescale_factor", 1 / 255) if said.get("do_rescale", True) else 1
    words["divisor"] = round(1 / factor, 6)
    if said.get("do_normalize", True):
        words |= {"mean": tuple(said["image_mean"]), "std": tuple(said["image_std"])}
    return Preprocessing.model_validate(words)


def _resize(said: dict[str, Any]) -> int | tuple[int, int]:
    size = said["size"]
    if isinstance(size, int):
        # Of old: with a centre crop the shorter side, else both.
        return size if said.get("do_center_crop") else (size, size)
    if "shortest_edge" in size and "longest_edge" not in size:
        shortest = int(size["shortest_edge"])
        # ConvNeXt resizes to more than the model's input, and crops.
        return int(shortest / said["crop_pct"]) if "crop_pct" in said else shortest
    return int(size["height"]), int(size["width"])


def _size(size: Any) -> int | tuple[int, int]:
    if isinstance(size, int):
        return size
    height, width = int(size["height"]), int(size["width"])
    return height if height == width else (height, width)


def _read_json(file: Path, name: str) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"model {name}: {file} cannot be read ({first_line(error)})") from error
    if not isinstance(found, dict):
        raise ModelError(f"model {name}: {file} holds no settings")
    return found


def _load(model: ResolvedModel) -> Adapter:
    # Read at import: nothing may be asked of the hub, not even whether it is there.
    os.environ["HF_HUB_OFFLINE"] = "1"
    transformers = from_extra("transformers", EXTRA, model.name)
    folder = model.weights_file.parent
    try:
        network = transformers.AutoModelForImageClassification.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, trust_remote_code=False
        )
    except Exception as error:  # foreign code all the way down
        raise ModelError(
            f"model {model.name}: {folder} cannot be loaded by transformers ({first_line(error)})"
        ) from error
    return ModuleAdapter(Logits(network).eval())


TRANSFORMERS = Loader(_find, _load)
