"""Specs and weights for the tests of loading; what a refused model is told."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from shards.errors import ModelError
from tasks.models.cifar_resnet import cifar_resnet
from tasks.models.load import load, resolve
from tasks.models.spec import ModelSpec, ResolvedModel
from tests.tasks.models.cifar import AS_TRAINED


def spec(**changes: Any) -> ModelSpec:
    plain = {
        "name": "m",
        "loader": "module:tasks.models.cifar_resnet:cifar_resnet",
        "arguments": {"depth": 8},
        "preprocessing": AS_TRAINED,
    }
    return ModelSpec.model_validate(plain | changes)


def small_state() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return cifar_resnet(8).state_dict()


def saved(state: object, path: Path) -> Path:
    torch.save(state, path)
    return path


def network_of(model: ResolvedModel) -> nn.Module:
    module = load(model).module
    assert module is not None
    return module


def told(model: ModelSpec | ResolvedModel) -> str:
    with pytest.raises(ModelError) as refused:
        load(model if isinstance(model, ResolvedModel) else resolve(model))
    assert "\n" not in str(refused.value)
    return str(refused.value)


def assert_equal(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name
