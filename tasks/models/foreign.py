"""Packages that only some plans need, and what their errors say."""

import importlib
from types import ModuleType

from shards.errors import ModelError


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
