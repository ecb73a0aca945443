"""A model whose outputs are put into the order of a dataset's classes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from tasks.models.adapter import Adapter
from tasks.models.spec import Output


@dataclass(frozen=True)
class MappedAdapter:
    """``inner`` with its outputs moved.

    A class without an output gets the score −∞, or the probability 0. What lay on ignored outputs
    is shared out among the kept ones in proportion, as a softmax over the kept logits alone would
    do; so a model gives the same figures whether or not it was saved with its softmax. Where the
    whole probability of an image lay on ignored outputs, it is shared out evenly.

    Attributes:
        outputs: the outputs that are kept, in any order.
        columns: the class index of each of them.
        classes: how many the dataset has.
    """

    inner: Adapter
    outputs: Tensor
    columns: Tensor
    classes: int
    output: Output

    @classmethod
    def over(
        cls, inner: Adapter, columns: Sequence[int | None], classes: int, output: Output
    ) -> "MappedAdapter":
        """``columns`` has the class index of every output, None where it is ignored."""
        kept = [(place, column) for place, column in enumerate(columns) if column is not None]
        outputs, targets = torch.tensor(kept, dtype=torch.int64).reshape(-1, 2).unbind(1)
        return cls(inner, outputs, targets, classes, output)

    @property
    def module(self) -> nn.Module | None:
        return self.inner.module

    def around(self, module: nn.Module) -> "MappedAdapter":
        return replace(self, inner=self.inner.around(module))

    def parameter_count(self) -> int | None:
        return self.inner.parameter_count()

    def on(self, device: torch.device) -> "MappedAdapter":
        return replace(
            self,
            inner=self.inner.on(device),
            outputs=self.outputs.to(device),
            columns=self.columns.to(device),
        )

    def scores(self, batch: Tensor) -> Tensor:
        found = self.inner.scores(batch).float()
        kept = found[:, self.outputs]
        nothing = 0.0 if self.output == "probabilities" else -torch.inf
        placed = found.new_full((len(found), self.classes), nothing)
        placed[:, self.columns] = self._shared_out(found, kept)
        return placed

    def _shared_out(self, found: Tensor, kept: Tensor) -> Tensor:
        """The kept scores, with the sum that the row had: what belies ``output`` still does."""
        match self.output:
            case "logits":
                return kept
            case "probabilities":
                whole, left = found.sum(1, keepdim=True), kept.sum(1, keepdim=True)
                even = torch.full_like(kept, 1 / max(kept.shape[1], 1)) * whole
                return torch.where(left == 0, even, kept * (whole / left))
            case "log_probabilities":
                whole, left = (scores.logsumexp(1, keepdim=True) for scores in (found, kept))
                even = whole - torch.tensor(float(kept.shape[1])).log()
                return torch.where(left == -torch.inf, even.expand_as(kept), kept + (whole - left))
