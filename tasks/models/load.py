"""Find a model's weights and preprocessing; build the network and fill it. Never a free pickle."""

import importlib
import pickle
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import safetensors
import safetensors.torch
import timm
import torch
import torchvision
from timm.data.config import resolve_model_data_config
from torch import Tensor, nn

from shards.errors import ModelError
from tasks.models.adapter import Adapter, ModuleAdapter
from tasks.models.spec import (
    IMPORTED,
    Interpolation,
    ModelSpec,
    Preprocessing,
    ResolvedModel,
    file_sha256,
)

WRAPPERS = ("state_dict", "model", "model_state_dict")
"""Keys under which training scripts put the state dict."""
OPTIONAL_SUFFIX = ".num_batches_tracked"
"""Counters of batch norm that old checkpoints lack and inference never reads."""
CARRIED = frozenset({"resize", "crop", "interpolation", "mean", "std"})
"""What torchvision and timm say of preprocessing; a plan that says all of it need not ask them."""


def resolve(spec: ModelSpec) -> ResolvedModel:
    """Find the weights, hash them, and settle the preprocessing.

    Raises:
        ModelError: no weights, or no preprocessing declared where the weights carry none.
    """
    published = _torchvision_weights(spec)
    file = _weights_file(spec, published)
    preprocessing = _preprocessing(spec, published)
    try:
        digest = file_sha256(file)
    except OSError as error:
        raise ModelError(f"model {spec.name}: weights {file}: {error.strerror or error}") from error
    return ResolvedModel(
        spec=spec, preprocessing=preprocessing, weights_file=file, weights_sha256=digest
    )


def load(model: ResolvedModel) -> Adapter:
    """The model with its weights, in inference mode, on the CPU.

    Raises:
        ModelError: the factory fails, the weights have changed since they were hashed, cannot be
            read without running code, or do not fit the network.
    """
    network = _build(model.spec)
    state = read_state_dict(model.weights_file, model.name)
    if file_sha256(model.weights_file) != model.weights_sha256:
        raise ModelError(
            f"model {model.name}: {model.weights_file} changed while the run was going on; "
            f"run again to evaluate the new weights"
        )
    if model.spec.key_order == "positional":
        state = _match_by_position(state, network, model)
    _fill(network, state, model)
    return ModuleAdapter(network.eval())


def read_state_dict(file: Path, name: str) -> dict[str, Tensor]:
    """The tensors of a safetensors file or of a checkpoint that torch reads with weights_only.

    A state dict wrapped under a usual key is unwrapped; ``module.`` of DataParallel is dropped.

    Raises:
        ModelError: unreadable, or it holds more than tensors.
    """
    try:
        if file.suffix == ".safetensors":
            raw: Any = safetensors.torch.load_file(file)
        else:
            raw = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch lets any error of its unpickler through
        if isinstance(error, pickle.UnpicklingError) and "Unsupported global" in str(error):
            raise ModelError(
                f"model {name}: {file} holds Python objects, not only tensors, and is not loaded; "
                f"save its state dict as safetensors"
            ) from error
        reason = (str(error).splitlines() or [""])[0]
        raise ModelError(
            f"model {name}: weights {file} cannot be read ({type(error).__name__}: {reason})"
        ) from error
    for key in WRAPPERS:
        if isinstance(raw, Mapping) and isinstance(raw.get(key), Mapping):
            raw = raw[key]
    if not isinstance(raw, Mapping) or not all(isinstance(v, Tensor) for v in raw.values()):
        raise ModelError(f"model {name}: {file} holds no state dict (names to tensors)")
    return {str(key).removeprefix("module."): value for key, value in raw.items()}


def _build(spec: ModelSpec) -> nn.Module:
    kind, _, target = spec.loader.partition(":")
    arguments: dict[str, Any] = dict(spec.arguments)
    try:
        match kind:
            case "torchvision":
                architecture = target.partition("/")[0]
                network = torchvision.models.get_model(architecture, weights=None, **arguments)
            case "timm":
                network = timm.create_model(target, pretrained=False, **arguments)
            case _:
                network = _factory(target)(**arguments)
    except Exception as error:
        raise ModelError(
            f"model {spec.name}: {spec.loader} cannot be built: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(network, nn.Module):
        raise ModelError(f"model {spec.name}: {spec.loader} returned {type(network).__name__}")
    return network


def _factory(target: str) -> Callable[..., object]:
    module, _, attribute = target.partition(":")
    if not attribute:
        raise ValueError("write module:PACKAGE.MODULE:FACTORY")
    return cast("Callable[..., object]", getattr(importlib.import_module(module), attribute))


def _torchvision_weights(spec: ModelSpec) -> Any:
    """Torchvision's entry for ``torchvision:ARCHITECTURE/WEIGHTS``, or None."""
    kind, _, target = spec.loader.partition(":")
    architecture, _, weights = target.partition("/")
    if kind != "torchvision" or not weights:
        return None
    try:
        return torchvision.models.get_model_weights(architecture)[weights]
    except (KeyError, ValueError) as error:
        raise ModelError(
            f"model {spec.name}: torchvision has no weights {weights} for {architecture}"
        ) from error


def _weights_file(spec: ModelSpec, published: Any) -> Path:
    if spec.weights is not None:
        if not spec.weights.is_file():
            raise ModelError(f"model {spec.name}: weights {spec.weights}: no such file")
        return spec.weights
    if published is None:
        raise ModelError(f"model {spec.name}: give `weights`, a local file")
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


def _preprocessing(spec: ModelSpec, published: Any) -> Preprocessing:
    """What the weights carry, key by key overridden by what the spec says."""
    if spec.loader == IMPORTED:
        return Preprocessing()
    given = spec.preprocessing
    carries = published is not None or spec.loader.startswith("timm:")
    if given is not None and (not carries or given.model_fields_set >= CARRIED):
        return given
    carried = _carried_preprocessing(spec, published)
    if given is None:
        return carried
    return carried.model_copy(update={key: getattr(given, key) for key in given.model_fields_set})


def _carried_preprocessing(spec: ModelSpec, published: Any) -> Preprocessing:
    if published is not None:
        preset = published.transforms()
        return Preprocessing(
            resize=preset.resize_size[0],
            crop=preset.crop_size[0],
            interpolation=preset.interpolation.value,
            antialias=bool(preset.antialias),
            mean=tuple(preset.mean),
            std=tuple(preset.std),
        )
    if spec.loader.startswith("timm:"):
        return _timm_preprocessing(spec)
    raise ModelError(
        f"model {spec.name}: its weights carry no preprocessing; give `preprocessing` "
        f"(resize, crop, interpolation, antialias, mean, std)"
    )


def _timm_preprocessing(spec: ModelSpec) -> Preprocessing:
    settings = resolve_model_data_config(_build(spec))  # type: ignore[no-untyped-call]
    side = int(settings["input_size"][-1])
    interpolations: dict[str, Interpolation] = {
        name: name for name in ("nearest", "bilinear", "bicubic")
    }
    if settings["interpolation"] not in interpolations or settings["crop_mode"] != "center":
        raise ModelError(
            f"model {spec.name}: timm wants {settings['crop_mode']} crop with "
            f"{settings['interpolation']} interpolation; give `preprocessing` yourself"
        )
    return Preprocessing(
        resize=int(side / settings["crop_pct"]),
        crop=side,
        interpolation=interpolations[settings["interpolation"]],
        mean=tuple(settings["mean"]),
        std=tuple(settings["std"]),
    )


def _match_by_position(
    state: dict[str, Tensor], network: nn.Module, model: ResolvedModel
) -> dict[str, Tensor]:
    if model.weights_file.suffix == ".safetensors":
        raise ModelError(
            f"model {model.name}: {model.weights_file} keeps its tensors sorted by name, so they "
            f"cannot be matched by position; give the original checkpoint"
        )
    wanted = network.state_dict()
    if len(wanted) != len(state):
        raise ModelError(
            f"model {model.name}: {model.weights_file} has {len(state)} tensors, the network "
            f"{len(wanted)}; they cannot be matched by position"
        )
    for (theirs, tensor), (ours, parameter) in zip(state.items(), wanted.items(), strict=True):
        if tensor.shape != parameter.shape:
            raise ModelError(
                f"model {model.name}: tensor {theirs} {tuple(tensor.shape)} cannot become {ours} "
                f"{tuple(parameter.shape)}; they cannot be matched by position"
            )
    return dict(zip(wanted, state.values(), strict=True))


def _fill(network: nn.Module, state: dict[str, Tensor], model: ResolvedModel) -> None:
    try:
        unfit = network.load_state_dict(state, strict=False)
    except RuntimeError as error:
        first = re.sub(r"\s+", " ", str(error).splitlines()[-1])
        raise ModelError(
            f"model {model.name}: {model.weights_file} does not fit {model.spec.loader}: {first}"
        ) from error
    missing = [key for key in unfit.missing_keys if not key.endswith(OPTIONAL_SUFFIX)]
    if missing or unfit.unexpected_keys:
        raise ModelError(
            f"model {model.name}: {model.weights_file} does not fit {model.spec.loader}: "
            f"{len(missing)} parameters missing {missing[:3]}, "
            f"{len(unfit.unexpected_keys)} unknown {unfit.unexpected_keys[:3]}"
        )
