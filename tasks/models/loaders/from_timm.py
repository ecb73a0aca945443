"""``timm:ARCHITECTURE``: timm's networks, configured by what the checkpoint itself carries.

A checkpoint carries its configuration as ``config.json`` beside it (as timm and the Hugging Face
hub write it) or in the metadata of its safetensors; else the architecture's default counts.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import safetensors
import timm
from timm.data.config import resolve_data_config

from shards.errors import ModelError
from tasks.models.adapter import Adapter
from tasks.models.labels import LabelEntry
from tasks.models.loaders.building import built
from tasks.models.loaders.loader import Found, Loader, local_file, local_path
from tasks.models.loaders.state import filled
from tasks.models.spec import Interpolation, ModelSpec, Preprocessing, ResolvedModel

CONFIG = "config.json"
WEIGHT_NAMES = ("model.safetensors", "pytorch_model.bin")
INTERPOLATIONS: dict[str, Interpolation] = {n: n for n in ("nearest", "bilinear", "bicubic")}


@dataclass(frozen=True)
class Carried:
    """What a checkpoint says of itself.

    Attributes:
        file: where it stands, or None where the checkpoint says nothing.
        arguments: of the architecture, besides the number of classes.
        pretrained: timm's ``pretrained_cfg``.
    """

    file: Path | None
    classes: int | None
    arguments: Mapping[str, Any]
    pretrained: Mapping[str, Any]
    labels: tuple[LabelEntry, ...] | None

    def for_network(self) -> dict[str, Any]:
        """Arguments of the architecture."""
        classes = {} if self.classes is None else {"num_classes": self.classes}
        return {**self.arguments, **classes}


def carried_by(weights: Path, spec: ModelSpec) -> Carried:
    """What stands beside or inside the checkpoint.

    Raises:
        ModelError: it is unreadable, or of another architecture.
    """
    beside = weights.parent / CONFIG
    try:
        raw: Any = None
        file: Path | None = None
        if beside.is_file():
            raw, file = json.loads(beside.read_text("utf-8")), beside
        elif weights.suffix == ".safetensors":
            raw, file = _metadata(weights), weights
        # A config.json of another library says nothing of timm.
        if not isinstance(raw, dict) or not {"architecture", "pretrained_cfg"} & raw.keys():
            return Carried(None, None, {}, {}, None)
        pretrained = raw.get("pretrained_cfg") or {}
        architecture = raw.get("architecture") or pretrained.get("architecture")
        if architecture and _base(architecture) != _base(spec.target):
            raise ModelError(
                f"model {spec.name}: {file} is of the architecture {architecture}, the plan says "
                f"{spec.loader}; write timm:{architecture}"
            )
        classes = raw.get("num_classes", pretrained.get("num_classes"))
        names = raw.get("label_names")
        labels = tuple(map(str, names)) if isinstance(names, list) else None
        return Carried(file, classes, raw.get("model_args") or {}, pretrained, labels)
    except (OSError, ValueError, AttributeError, safetensors.SafetensorError) as error:
        raise ModelError(
            f"model {spec.name}: the configuration of {weights} cannot be read ({error})"
        ) from error


def _metadata(weights: Path) -> dict[str, Any] | None:
    """The configuration in the metadata of safetensors, whose values are all text."""
    try:
        with safetensors.safe_open(weights, framework="pt") as opened:
            said = opened.metadata() or {}
    except safetensors.SafetensorError:
        return None  # loading says what is wrong with the file
    if "config" in said:
        config: dict[str, Any] = json.loads(said["config"])
        return config
    if "pretrained_cfg" not in said:
        return None
    return {**said, "pretrained_cfg": json.loads(said["pretrained_cfg"])}


def _base(architecture: str) -> str:
    """Without the tag of the weights: ``resnet50.a1_in1k`` is a ``resnet50``."""
    return architecture.partition(".")[0]


def _find(spec: ModelSpec) -> Found:
    weights = _weights(spec)
    carried = carried_by(weights, spec)
    more = () if carried.file in {None, weights} else (weights.parent / CONFIG,)
    return Found((weights, *more), partial(_preprocessing, spec, carried), carried.labels)


def _weights(spec: ModelSpec) -> Path:
    folder = local_path(spec)
    if folder is None or not folder.is_dir():
        return local_file(spec)
    for name in WEIGHT_NAMES:
        if (folder / name).is_file():
            return folder / name
    raise ModelError(f"model {spec.name}: {folder} holds none of {', '.join(WEIGHT_NAMES)}")


def _preprocessing(spec: ModelSpec, carried: Carried) -> Preprocessing:
    """The words of timm's ``data/config.py`` and ``data/transforms_factory.py`` in ours."""
    if carried.pretrained:
        said = resolve_data_config(pretrained_cfg=dict(carried.pretrained))  # type: ignore[no-untyped-call]
    else:
        network = built(spec, partial(timm.create_model, spec.target, pretrained=False))
        said = resolve_data_config(model=network)  # type: ignore[no-untyped-call]
    height, width = (int(side) for side in said["input_size"][-2:])
    scaled = tuple(math.floor(side / said["crop_pct"]) for side in (height, width))
    mode = said["crop_mode"]
    if said["interpolation"] not in INTERPOLATIONS or (mode != "squash" and height != width):
        raise ModelError(
            f"model {spec.name}: timm wants {mode} crop to {height} x {width} with "
            f"{said['interpolation']} interpolation; give `preprocessing` yourself"
        )
    return Preprocessing(
        resize=(scaled[0], scaled[1]) if mode == "squash" else scaled[0],
        crop=height if height == width else (height, width),
        interpolation=INTERPOLATIONS[said["interpolation"]],
        mean=tuple(said["mean"]),
        std=tuple(said["std"]),
        fit="longer" if mode == "border" else "shorter",
    )


def _load(model: ResolvedModel) -> Adapter:
    carried = carried_by(model.weights_file, model.spec)
    make = partial(timm.create_model, model.spec.target, pretrained=False)
    return filled(built(model.spec, make, **carried.for_network()), model)


TIMM = Loader(_find, _load)
