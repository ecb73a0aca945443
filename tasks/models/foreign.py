"""Packages that only some plans need, and what their errors say."""

import importlib
import importlib.util
from types import ModuleType

from shards.errors import ModelError


def from_extra(package: str, extra: str, name: str) -> ModuleType:
    """A package that only some models need. Raises ModelError where it is not installed."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ModelError(_missing(package, extra, name, f"cannot be imported ({error})")) from error


def require_extra(package: str, extra: str, name: str) -> None:
    """Only see that it is installed: some packages must find the environment made first."""
    if importlib.util.find_spec(package) is None:
        raise ModelError(_missing(package, extra, name, "is not installed"))


def _missing(package: str, extra: str, name: str, why: str) -> str:
    return (
        f"model {name}: the package {package} is needed and {why}; pip install 'nightmark[{extra}]'"
    )


def first_line(error: Exception) -> str:
    """The first line of a foreign error's message, with its type."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
