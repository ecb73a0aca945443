"""``export:FILE.pt2``: a program that ``torch.export.save`` wrote.

``torch.export.load`` unpickles constants and some weights without restriction, so such a file may
run any code. It is loaded only where the plan says that the user vouches for it.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from shards.errors import ModelError
from tasks.models.adapter import Adapter, Sealed, as_scores, count_parameters, in_batches_of
from tasks.models.foreign import first_line
from tasks.models.loaders.loader import Found, Loader, local_file
from tasks.models.spec import ModelSpec, ResolvedModel


@dataclass(frozen=True)
class ProgramAdapter(Sealed):
    """An exported program. Its shapes are guarded, and it is no eager network.

    Attributes:
        batch: the only number of images that it takes, or None where it takes any.
    """

    program: nn.Module
    batch: int | None

    def parameter_count(self) -> int:
        return count_parameters(self.program)

    def on(self, device: torch.device) -> "ProgramAdapter":
        return ProgramAdapter(self.program.to(device), self.batch)

    def scores(self, batch: Tensor) -> Tensor:
        return in_batches_of(self.batch, batch, lambda part: as_scores(self.program(part)))


def _find(spec: ModelSpec) -> Found:
    file = local_file(spec)
    if not spec.trusted:
        raise ModelError(
            f"model {spec.name}: {file} may hold pickled Python objects, which run code when they "
            f"are loaded; if the file is yours, say `trusted: true` in the plan, or save the "
            f"weights as safetensors"
        )
    return Found((file,))


def _load(model: ResolvedModel) -> Adapter:
    try:
        exported = torch.export.load(model.weights_file)
        (wanted,) = (
            node.meta["val"].shape
            for node in exported.graph.nodes
            if node.op == "placeholder" and node.name in exported.graph_signature.user_inputs
        )
        program = exported.module()
    except Exception as error:  # its archive holds foreign objects, whose errors are theirs
        raise ModelError(
            f"model {model.name}: {model.weights_file} cannot be used as an exported program of "
            f"one input ({first_line(error)})"
        ) from error
    first = wanted[0]
    return ProgramAdapter(program, first if isinstance(first, int) else None)


EXPORT = Loader(_find, _load)
