"""Networks out of a factory, whose errors are foreign; filled with weights afterwards."""

import importlib
from collections.abc import Callable
from typing import Any, cast

from torch import nn

from shards.errors import ModelError
from tasks.models.adapter import Adapter
from tasks.models.loaders.loader import Found, Loader, local_file
from tasks.models.loaders.state import filled
from tasks.models.spec import ModelSpec, ResolvedModel


def built(spec: ModelSpec, make: Callable[..., object], **arguments: Any) -> nn.Module:
    """The network that ``make`` returns for the spec's arguments, which win over these.

    Raises:
        ModelError: it fails, or returns something else.
    """
    try:
        network = make(**{**arguments, **spec.arguments})
    except Exception as error:
        raise ModelError(
            f"model {spec.name}: {spec.loader} cannot be built: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(network, nn.Module):
        raise ModelError(f"model {spec.name}: {spec.loader} returned {type(network).__name__}")
    return network


def _find(spec: ModelSpec) -> Found:
    return Found((local_file(spec),))


def _load(model: ResolvedModel) -> Adapter:
    def make(**arguments: object) -> object:
        return _factory(model.spec.target)(**arguments)

    return filled(built(model.spec, make), model)


def _factory(target: str) -> Callable[..., object]:
    module, _, attribute = target.partition(":")
    if not attribute:
        raise ValueError("write module:PACKAGE.MODULE:FACTORY")
    return cast("Callable[..., object]", getattr(importlib.import_module(module), attribute))


MODULE = Loader(_find, _load)
"""``module:PACKAGE.MODULE:FACTORY``: any importable factory of a torch.nn.Module."""
