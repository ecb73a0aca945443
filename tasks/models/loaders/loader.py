"""What a loader is: finds a model's files and what they say of it, and loads it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from shards.errors import ModelError
from tasks.models.adapter import Adapter
from tasks.models.labels import LabelEntry
from tasks.models.spec import ModelSpec, Preprocessing, ResolvedModel

CARRIED = frozenset({"resize", "crop", "interpolation", "mean", "std"})
"""What weights say of preprocessing; a plan that says all of it need not ask them."""


@dataclass(frozen=True)
class Found:
    """A model before it is loaded.

    Attributes:
        files: all that its numbers depend on, the weights first.
        preprocessing: asked only where the plan leaves something open, since it may take a while;
            None where the files carry none.
        labels: the class that each output means, where the files say it.
    """

    files: tuple[Path, ...]
    preprocessing: Callable[[], Preprocessing] | None = None
    labels: tuple[LabelEntry, ...] | None = None


@dataclass(frozen=True)
class Loader:
    """A family of models. Both functions raise ModelError, which names the model."""

    find: Callable[[ModelSpec], Found]
    load: Callable[[ResolvedModel], Adapter]


def local_file(spec: ModelSpec) -> Path:
    """The file that the plan gives. Raises ModelError."""
    if spec.weights is None:
        raise ModelError(f"model {spec.name}: give `weights`, a local file")
    path = local_path(spec)
    if path is None or not path.is_file():
        raise ModelError(f"model {spec.name}: weights {spec.weights}: no such file")
    return path


def local_path(spec: ModelSpec) -> Path | None:
    """The file or folder that the plan gives; None where it gives none, or one that is elsewhere.

    What lies elsewhere is fetched before a loader is asked (``tasks.weights``).
    """
    return spec.weights if isinstance(spec.weights, Path) else None
