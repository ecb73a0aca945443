"""``torchvision:ARCHITECTURE[/WEIGHTS]``: torchvision's networks, and its published weights."""

import re
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torchvision

from shards.errors import ModelError
from tasks.models.adapter import Adapter
from tasks.models.loaders.building import built
from tasks.models.loaders.loader import Found, Loader, local_file
from tasks.models.loaders.state import filled
from tasks.models.spec import ModelSpec, Preprocessing, ResolvedModel

WITH_AUXILIARY_HEADS = ("googlenet", "inception_v3")
"""Their published weights hold heads for training, which inference never runs."""
OLD_DENSENET = re.compile(
    r"(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\.(?:weight|bias|running_mean|running_var))"
)
"""Names of parameters as torch allowed them when the published DenseNets were trained."""


def published_weights(target: str, name: str) -> Any:
    """Torchvision's entry for ``ARCHITECTURE/WEIGHTS``, or None where no weights are named.

    Raises:
        ModelError: torchvision has none.
    """
    architecture, _, weights = target.partition("/")
    if not weights:
        return None
    try:
        return torchvision.models.get_model_weights(architecture)[weights]
    except (KeyError, ValueError) as error:
        raise ModelError(
            f"model {name}: torchvision has no weights {weights} for {architecture}"
        ) from error


def preset_of(published: Any) -> Preprocessing:
    """The preprocessing that published weights carry."""
    preset = published.transforms()
    return Preprocessing(
        resize=preset.resize_size[0],
        crop=preset.crop_size[0],
        interpolation=preset.interpolation.value,
        antialias=bool(preset.antialias),
        mean=tuple(preset.mean),
        std=tuple(preset.std),
    )


def _find(spec: ModelSpec) -> Found:
    published = published_weights(spec.target, spec.name)
    if published is None:
        return Found((local_file(spec),))
    file = local_file(spec) if spec.weights is not None else _cached(spec, published)
    return Found((file,), partial(preset_of, published))


def _cached(spec: ModelSpec, published: Any) -> Path:
    cached = Path(torch.hub.get_dir()) / "checkpoints" / str(published.url).rsplit("/", 1)[-1]
    if not cached.is_file():
        try:
            published.get_state_dict(progress=False, check_hash=True)
        except (OSError, RuntimeError) as error:
            raise ModelError(
                f"model {spec.name}: {published} is not in {cached.parent} and cannot be "
                f"downloaded ({error}); put {cached.name} there or give `weights`"
            ) from error
    return cached


def _load(model: ResolvedModel) -> Adapter:
    architecture = model.spec.target.partition("/")[0]
    published = published_weights(model.spec.target, model.name)
    make = partial(torchvision.models.get_model, architecture, weights=None)
    network = built(model.spec, make, **_own_arguments(architecture, published))
    return filled(network, model, _new_name if architecture.startswith("densenet") else str)


def _own_arguments(architecture: str, published: Any) -> dict[str, Any]:
    """What torchvision's builders change in a network for their published weights."""
    # Filled with random numbers first, these two would take seconds.
    own: dict[str, Any] = {"init_weights": False} if architecture in WITH_AUXILIARY_HEADS else {}
    if published is None:
        return own
    if architecture in WITH_AUXILIARY_HEADS:
        return {**own, "transform_input": True, "aux_logits": True}
    if architecture.startswith("vit_"):
        return {"image_size": published.meta["min_size"][0]}
    if architecture.startswith("maxvit"):
        return {"input_size": published.meta["min_size"]}
    return own


def _new_name(name: str) -> str:
    matched = OLD_DENSENET.fullmatch(name)
    return name if matched is None else matched.group(1) + matched.group(2)


TORCHVISION = Loader(_find, _load)
