"""Tensors of a checkpoint → the parameters of a network. Never a free pickle."""

import pickle
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from shards.errors import ModelError
from tasks.models.adapter import ModuleAdapter
from tasks.models.spec import ResolvedModel

WRAPPERS = ("state_dict", "model", "model_state_dict")
"""Keys under which training scripts put the state dict."""
OPTIONAL_SUFFIX = ".num_batches_tracked"
"""Counters of batch norm that old checkpoints lack and inference never reads."""


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


def filled(
    network: nn.Module, model: ResolvedModel, rename: Callable[[str], str] = str
) -> ModuleAdapter:
    """The network with the weights of the model, in inference mode.

    ``rename`` turns the names of old checkpoints into those of the network.

    Raises:
        ModelError: they cannot be read without running code, or do not fit the network.
    """
    read = read_state_dict(model.weights_file, model.name)
    state = {rename(name): tensor for name, tensor in read.items()}
    if model.spec.key_order == "positional":
        state = _match_by_position(state, network, model)
    _fill(network, state, model)
    return ModuleAdapter(network.eval())


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
