"""``torchscript:FILE``: a module that ``torch.jit.save`` wrote.

Loading one unpickles no Python object, but runs TorchScript that stands in the file: that can
compute anything on tensors, and write files. So load only what you would also run.
"""

import warnings
from dataclasses import dataclass

import torch
from torch import Tensor

from shards.errors import ModelError
from tasks.models.adapter import Adapter, Sealed, as_scores, count_parameters
from tasks.models.foreign import first_line
from tasks.models.loaders.loader import Found, Loader, local_file
from tasks.models.spec import ModelSpec, ResolvedModel


@dataclass(frozen=True)
class ScriptAdapter(Sealed):
    """A scripted or traced module; it is compiled already, and no eager network."""

    script: torch.jit.ScriptModule

    def parameter_count(self) -> int:
        return count_parameters(self.script)

    def on(self, device: torch.device) -> "ScriptAdapter":
        return ScriptAdapter(self.script.to(device))

    def scores(self, batch: Tensor) -> Tensor:
        return as_scores(self.script(batch))


def _find(spec: ModelSpec) -> Found:
    return Found((local_file(spec),))


def _load(model: ResolvedModel) -> Adapter:
    try:
        with warnings.catch_warnings():
            # torch announces the end of TorchScript at every call; files of it remain.
            warnings.simplefilter("ignore", FutureWarning)
            script = torch.jit.load(model.weights_file, map_location="cpu")  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError, OSError) as error:
        raise ModelError(
            f"model {model.name}: {model.weights_file} cannot be read as TorchScript "
            f"({first_line(error)})"
        ) from error
    script.eval()
    return ScriptAdapter(script)


TORCHSCRIPT = Loader(_find, _load)
