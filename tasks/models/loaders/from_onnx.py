"""``onnx:FILE``: a model for onnxruntime, which runs no Python and unpickles nothing.

Needs the extra ``onnx``. Precision and compilation of the plan do not reach it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from shards.errors import ModelError
from tasks.models.adapter import Adapter, Sealed, in_batches_of
from tasks.models.foreign import first_line, from_extra
from tasks.models.loaders.loader import Found, Loader, local_file
from tasks.models.spec import ModelSpec, ResolvedModel

EXTRA = "onnx"
NAMED_OUTPUTS = ("logits", "scores", "probabilities")
FLOATS = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


@dataclass(frozen=True)
class OnnxAdapter(Sealed):
    """A session of onnxruntime.

    Attributes:
        file: read again where the device changes, since a session cannot move.
        session: an ``onnxruntime.InferenceSession``.
        output: the name of the scores among its outputs.
    """

    file: Path
    session: Any
    output: str
    model: str

    def parameter_count(self) -> None:
        """ONNX does not tell what was learned from what is constant."""

    def on(self, device: torch.device) -> "OnnxAdapter":
        if PROVIDERS[device.type] in self.session.get_providers():
            return self
        return OnnxAdapter(
            self.file, _session(self.file, device.type, self.model), self.output, self.model
        )

    def scores(self, batch: Tensor) -> Tensor:
        (wanted,) = self.session.get_inputs()
        size = wanted.shape[0] if wanted.shape and isinstance(wanted.shape[0], int) else None
        return in_batches_of(size, batch, self._run)

    def _run(self, batch: Tensor) -> Tensor:
        (wanted,) = self.session.get_inputs()
        images = np.ascontiguousarray(batch.float().cpu().numpy(), dtype=FLOATS[wanted.type])
        (scores,) = self.session.run([self.output], {wanted.name: images})
        return torch.from_numpy(scores).to(batch.device)


def _find(spec: ModelSpec) -> Found:
    file = local_file(spec)
    return Found((file, *_external_files(file, spec.name)))


def _external_files(file: Path, name: str) -> tuple[Path, ...]:
    """Files beside the model that hold its weights: above 2 GB ONNX keeps them outside."""
    onnx = from_extra("onnx", EXTRA, name)
    try:
        graph = onnx.load(file, load_external_data=False).graph
    except Exception as error:  # protobuf has errors of its own
        raise ModelError(
            f"model {name}: {file} cannot be read as ONNX ({first_line(error)})"
        ) from error
    places = {
        entry.value
        for tensor in graph.initializer
        for entry in tensor.external_data
        if entry.key == "location"
    }
    found = tuple(file.parent / place for place in sorted(places))
    for outside in found:
        if not outside.is_file():
            raise ModelError(f"model {name}: {file} keeps its weights in {outside}: no such file")
    return found


def _load(model: ResolvedModel) -> Adapter:
    session = _session(model.weights_file, "cpu", model.name)
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type not in FLOATS:
        told = ", ".join(f"{entry.name} {entry.type}" for entry in inputs)
        raise ModelError(
            f"model {model.name}: {model.weights_file} takes {told}; one tensor of floats "
            f"[n, 3, height, width] is needed"
        )
    names = [entry.name for entry in session.get_outputs()]
    wanted = names if len(names) == 1 else [name for name in names if name in NAMED_OUTPUTS]
    if len(wanted) != 1:
        raise ModelError(
            f"model {model.name}: {model.weights_file} returns {', '.join(names)}; one output, or "
            f"one named {' or '.join(NAMED_OUTPUTS)}, is needed"
        )
    return OnnxAdapter(model.weights_file, session, wanted[0], model.name)


def _session(file: Path, device: str, name: str) -> Any:
    runtime = from_extra("onnxruntime", EXTRA, name)
    provider = PROVIDERS[device]
    if provider not in runtime.get_available_providers():
        raise ModelError(
            f"model {name}: this onnxruntime has no {provider}; pip install onnxruntime-gpu in "
            f"place of onnxruntime"
        )
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    try:
        return runtime.InferenceSession(str(file), options, providers=[provider])
    except Exception as error:  # onnxruntime has a dozen errors of its own
        raise ModelError(
            f"model {name}: {file} cannot be run by onnxruntime ({first_line(error)})"
        ) from error


ONNX = Loader(_find, _load)
