"""What every model looks like to the engine, whatever made it: a batch in, scores out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, Protocol

import torch
from torch import Tensor, nn


class Adapter(Protocol):
    """A loaded model in inference mode. Loading gives it on the CPU; ``on`` moves it."""

    @property
    def module(self) -> nn.Module | None:
        """The eager torch network inside, which the engine may fold, lay out anew or compile; None
        where there is none (TorchScript, an exported program, another runtime).
        """

    def around(self, module: nn.Module) -> "Adapter":
        """The same adapter around another form of its ``module``.

        Raises:
            ValueError: it has none.
        """

    def parameter_count(self) -> int | None:
        """How many numbers were learned; None where the format does not tell."""

    def on(self, device: torch.device) -> "Adapter":
        """The adapter on this device; the module inside may be moved, not copied."""

    def scores(self, batch: Tensor) -> Tensor:
        """[n, 3, height, width] on the adapter's device → [n, classes] in the dataset's order.

        The caller chooses inference mode and autocast, and checks the shape that comes back.

        Raises:
            TypeError: the model returns no tensor. A model is foreign code: it may raise anything.
        """


@dataclass(frozen=True)
class ModuleAdapter:
    """A torch module that returns its scores."""

    module: nn.Module

    def around(self, module: nn.Module) -> "ModuleAdapter":
        return ModuleAdapter(module)

    def parameter_count(self) -> int:
        return count_parameters(self.module)

    def on(self, device: torch.device) -> "ModuleAdapter":
        return ModuleAdapter(self.module.to(device))

    def scores(self, batch: Tensor) -> Tensor:
        return as_scores(self.module(batch))


class Sealed:
    """Of an adapter that has no eager torch network inside."""

    @property
    def module(self) -> None:
        return None

    def around(self, module: nn.Module) -> NoReturn:
        raise ValueError(f"{type(self).__name__} takes no {type(module).__name__} in")


def count_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def as_scores(answer: object) -> Tensor:
    """The answer of a model, if it is a tensor. Raises TypeError."""
    if not isinstance(answer, Tensor):
        raise TypeError(f"it returns {type(answer).__name__}, not a tensor")
    return answer


def in_batches_of(size: int | None, batch: Tensor, scores: Callable[[Tensor], Tensor]) -> Tensor:
    """The scores of a model that takes only batches of ``size``; None: of any.

    The last batch is filled up with its last image, whose further scores are dropped.
    """
    if size is None or len(batch) == size:
        return scores(batch)
    parts = []
    for part in torch.split(batch, size):
        filling = part[-1:].expand(size - len(part), -1, -1, -1)
        parts.append(scores(torch.cat([part, filling]))[: len(part)])
    return torch.cat(parts)
