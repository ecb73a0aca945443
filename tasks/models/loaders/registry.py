"""Every family of models by the name that a plan gives it."""

from collections.abc import Mapping

from tasks.models.adapter import Adapter
from tasks.models.loaders.building import MODULE
from tasks.models.loaders.from_export import EXPORT
from tasks.models.loaders.from_onnx import ONNX
from tasks.models.loaders.from_timm import TIMM
from tasks.models.loaders.from_torchscript import TORCHSCRIPT
from tasks.models.loaders.from_torchvision import TORCHVISION
from tasks.models.loaders.from_transformers import TRANSFORMERS
from tasks.models.loaders.loader import Found, Loader, local_file
from tasks.models.spec import IMPORTED, ModelSpec, ResolvedModel


def _find_scores(spec: ModelSpec) -> Found:
    return Found((local_file(spec),))


def _nothing_to_load(model: ResolvedModel) -> Adapter:
    raise ValueError(f"{model.name} is imported: its scores are there, and no model")


LOADERS: Mapping[str, Loader] = {
    "torchvision": TORCHVISION,
    "timm": TIMM,
    "module": MODULE,
    "torchscript": TORCHSCRIPT,
    "export": EXPORT,
    "onnx": ONNX,
    "transformers": TRANSFORMERS,
    IMPORTED: Loader(_find_scores, _nothing_to_load),
}
