"""A model of a plan in figures: loaded once, and asked how many outputs it has."""

from dataclasses import dataclass
from pathlib import Path

from shards.errors import ModelError, NightmarkError
from shards.store import Store
from tasks.models.load import load, resolve
from tasks.models.outputs import count_outputs
from tasks.models.spec import ModelSpec
from tasks.weights.kept import fetch


@dataclass(frozen=True)
class ModelDescription:
    """What a plan's entry stands for.

    Attributes:
        parameters: how many numbers were learned, where the format tells.
        outputs: scores per image, where a black image tells.
        files: all that the fingerprint covers, the weights first.
        size: bytes of the files.
        origin: where they were fetched from and at which revision; empty: they are local.
    """

    fingerprint: str
    parameters: int | None
    outputs: int | None
    output: str
    preprocessing: str
    labels: str
    files: tuple[Path, ...]
    size: int
    origin: str


def describe(store: Store, spec: ModelSpec) -> ModelDescription | str:
    """The description, or why the model cannot be used."""
    try:
        model = resolve(spec, fetch(store, spec))
        size = sum(file.stat().st_size for file in model.files)
        if model.is_imported:
            parameters, outputs = None, None
        else:
            adapter = load(model)
            parameters = adapter.parameter_count()
            outputs = count_outputs(adapter, model.preprocessing)
    except NightmarkError as error:
        return str(error)
    except OSError as error:
        return str(ModelError(f"model {spec.name}: {error.filename}: {error.strerror}"))
    return ModelDescription(
        fingerprint=model.fingerprint,
        parameters=parameters,
        outputs=outputs,
        output=spec.output,
        preprocessing="none: predictions are imported"
        if model.is_imported
        else str(model.preprocessing),
        labels=_labels(spec, model.labels),
        files=model.files,
        size=size,
        origin=model.origin,
    )


def _labels(spec: ModelSpec, labels: tuple[object, ...] | None) -> str:
    if isinstance(spec.labels, str):
        return "the dataset's order"
    if labels is not None:
        whose = "carried by the model" if spec.labels is None else "mapped by the plan"
        return f"{len(labels)} outputs {whose}"
    if spec.labels is not None:
        return "mapped by the plan"
    return "the dataset's order"
