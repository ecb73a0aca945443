"""Why a file is not a plan, in lines that lead to the place."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from conf.plan import Plan
from tasks.weights.redaction import without_secrets

Sources = dict[str, tuple[str, str]]
"""Dotted key → the value it was overridden with, and what overrode it."""


def explain(
    error: ValidationError,
    path: Path,
    node: yaml.Node,
    tree: Mapping[str, Any],
    sources: Sources,
) -> str:
    """One line per fault: file and line (or the override), key, what is wrong, what is allowed."""
    faults = error.errors(include_url=False)
    # A list with a faulty entry is also told to be too short; the entry's own fault says all.
    faults = [fault for fault in faults if not any(_is_within(o, fault) for o in faults)]
    lines = [_explain_one(fault, path, node, tree, sources) for fault in faults]
    return "\n".join(dict.fromkeys(lines))


def _is_within(inner: Any, outer: Any) -> bool:
    depth = len(outer["loc"])
    return len(inner["loc"]) > depth and inner["loc"][:depth] == outer["loc"]


def _key_path(fault: Any, tree: Any) -> list[int | str]:
    """The parts of a fault's location that are keys of the plan.

    Pydantic puts the names of a union's members between them. What is missing stands at the end.
    """
    found: list[int | str] = []
    place = tree
    for position, part in enumerate(fault["loc"]):
        if position == 2 and found[0] == "gates":
            continue  # the tag that tells gates from presets, which is also a key of a preset
        if _holds(place, part):
            place = place[part]
        elif fault["type"] != "missing" or position + 1 < len(fault["loc"]):
            continue
        found.append(part)
    return found


def _holds(place: object, part: int | str) -> bool:
    if isinstance(place, list):
        return isinstance(part, int) and part < len(place)
    return isinstance(place, Mapping) and part in place


def _source_of(key: str, sources: Sources) -> str | None:
    """Which override set the key, a part of it, or what it is a part of."""
    for changed, (_, source) in sources.items():
        if f"{changed}.".startswith(f"{key}.") or f"{key}.".startswith(f"{changed}."):
            return source
    return None


def _explain_one(
    fault: Any,
    path: Path,
    node: yaml.Node,
    tree: Mapping[str, Any],
    sources: Sources,
) -> str:
    location = _key_path(fault, tree)
    key = ".".join(str(part) for part in location) or "plan"
    where = _source_of(key, sources) or f"{path}:{_line(node, location)}"
    match fault["type"]:
        case "extra_forbidden":
            allowed = ", ".join(_allowed(location[:-1], fault["loc"]))
            return f"{where}: {key}: unknown key; allowed here: {allowed}"
        case "missing":
            return f"{where}: {key}: is missing"
        case _:
            message = str(fault["msg"]).removeprefix("Value error, ")
            found = "" if isinstance(fault["input"], dict) else f" (found {fault['input']!r})"
            return without_secrets(f"{where}: {key}: {message[0].lower()}{message[1:]}{found}")


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


def repeated_key(node: yaml.Node) -> str | None:
    """``LINE: KEY stands twice`` for the first key that a mapping has twice, or None."""
    if isinstance(node, yaml.SequenceNode):
        return next(filter(None, map(repeated_key, node.value)), None)
    if not isinstance(node, yaml.MappingNode):
        return None
    seen: set[str] = set()
    for key, value in node.value:
        if key.value in seen:
            return f"{key.start_mark.line + 1}: {key.value} stands twice"
        seen.add(key.value)
        if found := repeated_key(value):
            return found
    return None
