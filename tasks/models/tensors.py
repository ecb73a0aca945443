"""Tensors, as ranking wants them: the same rule, wherever the scores lie."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tasks.predictions.ranking import Kind

KINDS: dict[Kind, torch.dtype] = {
    "int32": torch.int32,
    "int64": torch.int64,
    "float16": torch.float16,
    "float32": torch.float32,
    "float64": torch.float64,
}


@dataclass(frozen=True)
class TensorArrays:
    """Scores on any device. Nothing here waits for it."""

    library: Any = torch

    def cast(self, values: Tensor, kind: Kind) -> Tensor:
        return values.to(KINDS[kind], copy=True)

    def numbers_to(self, count: int, like: Tensor) -> Tensor:
        return torch.arange(count, device=like.device)

    def bits(self, values: Tensor) -> Tensor:
        return values.view(torch.int32)

    def best(self, keys: Tensor, k: int) -> Tensor:
        return keys.topk(k, dim=1, largest=False, sorted=True).indices

    def take(self, values: Tensor, places: Tensor) -> Tensor:
        return values.gather(1, places)


TENSORS = TensorArrays()
