"""A plan's file → a Plan, with overrides; or one message that names the line and the key."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from conf.explaining import Sources, explain, repeated_key
from conf.plan import Plan
from shards.errors import InputError

ENVIRONMENT_PREFIX = "NIGHTMARK_RUNTIME__"
ROOT_VARIABLE = "NIGHTMARK_ROOT"


def load(
    path: Path,
    overrides: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Plan:
    """The plan in a YAML file.

    ``overrides`` are ``dotted.key=value`` and win over the environment
    (``NIGHTMARK_RUNTIME__BATCH_SIZE=8``, ``NIGHTMARK_ROOT``), which wins over the file. Values are
    read as YAML.

    Raises:
        InputError: no such file, no YAML, or not a plan; names file, line, key and remedy.
    """
    try:
        text = path.read_text("utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        tree = yaml.safe_load(text)
        repeated = None if node is None else repeated_key(node)
    except OSError as error:
        raise InputError(f"plan {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"plan {path} is not readable as YAML: {error}") from error
    if node is None or not isinstance(tree, dict):
        raise InputError(f"plan {path}: a mapping with name and datasets is needed")
    if repeated:
        raise InputError(f"{path}:{repeated}; remove one of them")
    variables = os.environ if environment is None else environment
    sources = {**_from_environment(variables), **_from_options(overrides)}
    for key, (value, source) in sources.items():
        _put(tree, key, value, source)
    try:
        return Plan.model_validate(tree, context=path.resolve().parent)
    except ValidationError as error:
        raise InputError(explain(error, path, node, tree, sources)) from error


def load_with_models(
    path: Path,
    overrides: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Plan:
    """Like ``load``, for work that needs models. Raises InputError where the plan has none, too."""
    plan = load(path, overrides, environment)
    if not plan.models:
        raise InputError(
            f"plan {path} has no models, so there is nothing to evaluate; name some under `models` "
            f"(`nightmark shard` and `nightmark verify` need none)"
        )
    return plan


def _from_environment(variables: Mapping[str, str]) -> Sources:
    found = {
        f"runtime.{name.removeprefix(ENVIRONMENT_PREFIX).lower()}": (value, f"environment {name}")
        for name, value in variables.items()
        if name.startswith(ENVIRONMENT_PREFIX)
    }
    if root := variables.get(ROOT_VARIABLE):
        # A path as it is, though YAML would read a number, a date or null in it.
        found["runtime.root"] = (yaml.safe_dump(root), f"environment {ROOT_VARIABLE}")
    return found


def _from_options(overrides: Sequence[str]) -> Sources:
    found: Sources = {}
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or not key:
            raise InputError(f"--set {override}: write KEY=VALUE, e.g. runtime.batch_size=8")
        found[key] = (value, f"option --set {override}")
    return found


def _put(tree: dict[str, Any], key: str, value: str, source: str) -> None:
    *parents, last = key.split(".")
    try:
        read = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise InputError(f"{source}: {key}: the value is not readable as YAML") from error
    place: Any = tree
    try:
        for part in parents:
            place = place[int(part)] if isinstance(place, list) else place.setdefault(part, {})
        if isinstance(place, list):
            place[int(last)] = read
        else:
            place[last] = read
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise InputError(f"{source}: {key} does not lead anywhere in this plan") from error
