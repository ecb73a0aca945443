"""A plan's file → a Plan, with overrides; or one message that names the line and the key."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from conf.plan import Plan
from shards.errors import InputError

ENVIRONMENT_PREFIX = "NIGHTMARK_RUNTIME__"
ROOT_VARIABLE = "NIGHTMARK_ROOT"
TAGS = frozenset({"gate", "preset"})


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
    except OSError as error:
        raise InputError(f"plan {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"plan {path} is not readable as YAML: {error}") from error
    if node is None or not isinstance(tree, dict):
        raise InputError(f"plan {path}: a mapping with name, datasets and models is needed")
    variables = os.environ if environment is None else environment
    sources = {**_from_environment(variables), **_from_options(overrides)}
    for key, (value, source) in sources.items():
        _put(tree, key, value, source)
    try:
        return Plan.model_validate(tree, context=path.resolve().parent)
    except ValidationError as error:
        raise InputError(_explain(error, path, node, sources)) from error


def _from_environment(variables: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    found = {
        f"runtime.{name.removeprefix(ENVIRONMENT_PREFIX).lower()}": (value, f"environment {name}")
        for name, value in variables.items()
        if name.startswith(ENVIRONMENT_PREFIX)
    }
    if root := variables.get(ROOT_VARIABLE):
        found["runtime.root"] = (root, f"environment {ROOT_VARIABLE}")
    return found


def _from_options(overrides: Sequence[str]) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or not key:
            raise InputError(f"--set {override}: write KEY=VALUE, e.g. runtime.batch_size=8")
        found[key] = (value, f"option --set {override}")
    return found


def _put(tree: dict[str, Any], key: str, value: str, source: str) -> None:
    *parents, last = key.split(".")
    place: Any = tree
    try:
        for part in parents:
            place = place[int(part)] if isinstance(place, list) else place.setdefault(part, {})
        if isinstance(place, list):
            place[int(last)] = yaml.safe_load(value)
        else:
            place[last] = yaml.safe_load(value)
    except (AttributeError, IndexError, TypeError, ValueError, yaml.YAMLError) as error:
        raise InputError(f"{source}: {key} does not lead anywhere in this plan") from error


def _explain(
    error: ValidationError, path: Path, node: yaml.Node, sources: Mapping[str, tuple[str, str]]
) -> str:
    faults = error.errors(include_url=False)
    lines = [_explain_one(fault, path, node, sources) for fault in faults]
    return "\n".join(dict.fromkeys(lines))


def _explain_one(
    fault: Any, path: Path, node: yaml.Node, sources: Mapping[str, tuple[str, str]]
) -> str:
    location = [part for part in fault["loc"] if part not in TAGS]
    key = ".".join(str(part) for part in location) or "plan"
    where = f"{path}:{_line(node, location)}"
    if key in sources:
        where = sources[key][1]
    match fault["type"]:
        case "extra_forbidden":
            allowed = ", ".join(_allowed(location[:-1], fault["loc"]))
            return f"{where}: {key}: unknown key; allowed here: {allowed}"
        case "missing":
            return f"{where}: {key}: is missing"
        case _:
            message = str(fault["msg"]).removeprefix("Value error, ")
            found = "" if isinstance(fault["input"], dict) else f" (found {fault['input']!r})"
            return f"{where}: {key}: {message[0].lower()}{message[1:]}{found}"


def _line(node: yaml.Node, location: Sequence[int | str]) -> int:
    """The line of the deepest part of the key path that stands in the file."""
    line: int = node.start_mark.line + 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            pairs = {k.value: (k, v) for k, v in node.value}
            if str(part) not in pairs:
                break
            name, node = pairs[str(part)]
            line = name.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            if part >= len(node.value):
                break
            node = node.value[part]
            line = node.start_mark.line + 1
    return line


def _allowed(parents: Sequence[int | str], full: Sequence[int | str]) -> list[str]:
    """The keys of the model that ``parents`` lead to, read from the plan's JSON Schema."""
    schema = Plan.model_json_schema()
    place: dict[str, Any] = schema
    for part in parents:
        place = _resolved(place["items"] if isinstance(part, int) else _child(place, part), schema)
        if "oneOf" in place or "anyOf" in place:
            wanted = "GatePreset" if "preset" in full else "Gate"
            place = schema["$defs"][wanted]
    return list(place.get("properties", {}))


def _child(place: dict[str, Any], part: str) -> dict[str, Any]:
    child: dict[str, Any] = place["properties"][part]
    options = child.get("anyOf", [])
    return next((option for option in options if option.get("type") != "null"), child)


def _resolved(place: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in place:
        place = schema["$defs"][place["$ref"].rsplit("/", 1)[-1]]
    return place
