"""What a loader is: finds a model's files and what they say of it, and loads it."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

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
    if not spec.weights.is_file():
        raise ModelError(f"model {spec.name}: weights {spec.weights}: no such file")
    return spec.weights


def from_extra(package: str, extra: str, name: str) -> ModuleType:
    """A package that only some models need. Raises ModelError where it is not installed."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ModelError(
            f"model {name}: the package {package} is needed and cannot be imported ({error}); "
            f"pip install 'nightmark[{extra}]'"
        ) from error


def first_line(error: Exception) -> str:
    """The first line of a foreign error's message, with its type."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
