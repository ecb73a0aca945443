"""A spec → its files and preprocessing; those → a model that the engine can run."""

from shards.errors import ModelError
from tasks.models.adapter import Adapter
from tasks.models.digests import files_sha256
from tasks.models.labels import declared_labels
from tasks.models.loaders.loader import CARRIED, Found
from tasks.models.loaders.registry import LOADERS
from tasks.models.mapped import MappedAdapter
from tasks.models.outputs import count_outputs, require_outputs
from tasks.models.spec import IMPORTED, ModelSpec, Preprocessing, ResolvedModel
from tasks.weights.kept import Fetched


def resolve(given: ModelSpec, fetched: Fetched | None = None) -> ResolvedModel:
    """Find the weights, hash them, and settle preprocessing and labels.

    What lies elsewhere is taken as it was ``fetched``.

    Raises:
        ModelError: no weights, or no preprocessing declared where the weights carry none.
    """
    spec = given
    if fetched is not None:
        spec = given.model_copy(update={"weights": fetched.path})
    found = LOADERS[spec.kind].find(spec)
    preprocessing = _preprocessing(spec, found)
    labels = declared_labels(spec, found.labels)
    try:
        digest = files_sha256(found.files)
    except OSError as error:
        raise ModelError(
            f"model {spec.name}: weights {error.filename}: {error.strerror or error}"
        ) from error
    return ResolvedModel(
        spec=spec,
        preprocessing=preprocessing,
        weights_file=found.files[0],
        weights_sha256=digest,
        more_files=found.files[1:],
        labels=labels,
        origin="" if fetched is None else fetched.origin,
    )


def load(model: ResolvedModel) -> Adapter:
    """The model with its weights, in inference mode, on the CPU.

    Of a model that is bound to a dataset, the outputs are in the order of its classes.

    Raises:
        ModelError: it cannot be built, the weights have changed since they were hashed, cannot be
            read without running code, or do not fit the network; or its outputs do not fit the
            dataset.
    """
    adapter = LOADERS[model.spec.kind].load(model)
    if files_sha256(model.files) != model.weights_sha256:
        raise ModelError(
            f"model {model.name}: {model.weights_file} changed while the run was going on; "
            f"run again to evaluate the new weights"
        )
    outputs = count_outputs(adapter, model.preprocessing)
    if outputs is not None:
        require_outputs(outputs, model)
    if model.columns is None or model.classes is None:
        return adapter
    return MappedAdapter.over(adapter, model.columns, model.classes, model.spec.output)


def _preprocessing(spec: ModelSpec, found: Found) -> Preprocessing:
    """What the weights carry, key by key overridden by what the spec says."""
    if spec.loader == IMPORTED:
        return Preprocessing()
    given = spec.preprocessing
    if given is not None and (found.preprocessing is None or given.model_fields_set >= CARRIED):
        return given
    if found.preprocessing is None:
        raise ModelError(
            f"model {spec.name}: its weights carry no preprocessing; give `preprocessing` "
            f"(resize, crop, interpolation, antialias, mean, std)"
        )
    carried = found.preprocessing()
    if given is None:
        return carried
    return carried.model_copy(update={key: getattr(given, key) for key in given.model_fields_set})
