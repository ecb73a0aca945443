"""Which class each output of a model means, and where that class stands in a dataset.

A map is made before any image is read: what does not fit is an error there, not a low score.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictInt,
    StrictStr,
    TypeAdapter,
    ValidationError,
)

from shards.errors import ModelError
from shards.sample import ClassList

if TYPE_CHECKING:
    from tasks.models.spec import ModelSpec, ResolvedModel

DATASET_ORDER = "dataset-order"
SHOWN = 3
LabelEntry = StrictStr | StrictInt | None
"""A class id or a unique class name, or null where no class of the dataset is meant."""


class IgnoredOutputs(BaseModel):
    """Outputs that mean no class; the others are in the dataset's order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ignore: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] = Field(
        description="Positions of outputs, from 0; e.g. [0] where the first is a background."
    )


ENTRIES = TypeAdapter(tuple[LabelEntry, ...])


def declared_labels(
    spec: "ModelSpec", carried: tuple[LabelEntry, ...] | None
) -> tuple[LabelEntry, ...] | None:
    """The entries that the plan gives, else those that the model carries; None = dataset's order.

    Raises:
        ModelError: the file of labels cannot be used.
    """
    match spec.labels:
        case None:
            return carried
        case Path() as file:
            return _read(file, spec.name)
        case tuple() as entries:
            return entries
        case _:
            return None


def bind(model: "ResolvedModel", classes: ClassList) -> "ResolvedModel":
    """The model with the class index of each of its outputs in a dataset.

    Raises:
        ModelError: a label names no class of the dataset or several, two outputs name the same, or
            the model is imported and has labels.
    """
    if model.is_imported and model.spec.labels is not None:
        raise ModelError(
            f"model {model.name}: imported scores are in the dataset's order; bring them into it, "
            f"and leave `labels` out"
        )
    columns = _columns(model, classes)
    # In the dataset's own order there is nothing to move, and the run keeps its name.
    if columns == tuple(range(len(classes))):
        columns = None
    return model.model_copy(update={"classes": len(classes), "columns": columns})


def _columns(model: "ResolvedModel", classes: ClassList) -> tuple[int | None, ...] | None:
    ignoring = model.spec.labels
    if isinstance(ignoring, IgnoredOutputs):
        outputs = len(classes) + len(set(ignoring.ignore))
        kept = iter(range(len(classes)))
        return tuple(None if o in ignoring.ignore else next(kept, None) for o in range(outputs))
    if model.labels is None:
        return None
    columns = _placed(model, classes)
    if model.spec.labels is None and all(column is None for column in columns):
        # Names of another vocabulary, which the model merely carries, tell nothing.
        return None
    return columns


def _placed(model: "ResolvedModel", classes: ClassList) -> tuple[int | None, ...]:
    """The class index of each label. Names that the model carries may all be unknown ones."""
    carried = model.spec.labels is None
    by_id = {name: index for index, name in enumerate(classes.ids)}
    by_name: defaultdict[str, list[int]] = defaultdict(list)
    for index, name in enumerate(classes.names):
        by_name[name].append(index)
    columns: list[int | None] = []
    unknown: list[str] = []
    for output, label in enumerate(model.labels or ()):
        text = None if label is None else str(label)
        found = [] if text is None else [by_id[text]] if text in by_id else by_name.get(text, [])
        if len(found) > 1:
            # A name that several classes share means the one at the output's own place.
            found = [index for index in found if index == output]
            if not found:
                raise ModelError(
                    f"model {model.name}: output {output}, {text!r}, is the name of several "
                    f"classes; give class ids in `labels`"
                )
        if text is not None and not found:
            unknown.append(f"{output} {text!r}")
        columns.append(found[0] if found else None)
    if unknown and (not carried or len(unknown) < len(columns)):
        whose = "its own labels" if carried else "`labels`"
        raise ModelError(
            f"model {model.name}: {whose} name {_listed(unknown)}, which are no classes of the "
            f"dataset (it has {_listed(classes.ids)}); give class ids, null for an output that "
            f"means none of them, or `labels: {DATASET_ORDER}`"
        )
    _refuse_repeated(model.name, columns, classes)
    return tuple(columns)


def _refuse_repeated(name: str, columns: Sequence[int | None], classes: ClassList) -> None:
    seen: dict[int, int] = {}
    for output, column in enumerate(columns):
        if column is None:
            continue
        if column in seen:
            raise ModelError(
                f"model {name}: outputs {seen[column]} and {output} both mean class "
                f"{classes.ids[column]}; set one of them to null in `labels`"
            )
        seen[column] = output


def _read(file: Path, name: str) -> tuple[LabelEntry, ...]:
    """JSON or YAML (a list, or output → class), else text with one class per line, empty = none."""
    try:
        text = file.read_text("utf-8")
        if file.suffix not in {".json", ".yaml", ".yml"}:
            return tuple(line.strip() or None for line in text.splitlines())
        raw = json.loads(text) if file.suffix == ".json" else yaml.safe_load(text)
        if isinstance(raw, dict):
            raw = [raw[place] for place in _places(raw)]
        return ENTRIES.validate_python(raw)
    except OSError as error:
        raise ModelError(f"model {name}: labels {file}: {error.strerror}") from error
    except (ValueError, KeyError, yaml.YAMLError, ValidationError) as error:
        raise ModelError(
            f"model {name}: labels {file}: a list of class ids or names in the order of the "
            f"outputs is needed, or a mapping of every output, from 0, to one"
        ) from error


def _places(raw: dict[object, object]) -> list[object]:
    """The keys of a mapping in the order of the outputs. Raises ValueError."""
    by_number = {int(str(key)): key for key in raw}
    if sorted(by_number) != list(range(len(raw))):
        raise ValueError("outputs are missing")
    return [by_number[output] for output in range(len(raw))]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
