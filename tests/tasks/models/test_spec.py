from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from tasks.models.spec import (
    Interpolation,
    ModelSpec,
    Numerics,
    Preprocessing,
    ResolvedModel,
    run_name,
)

SPEC: dict[str, Any] = {
    "name": "m",
    "loader": "timm:resnet18",
    "arguments": {"num_classes": 10},
    "weights": Path("/weights/a.pth"),
}
EXACT = Numerics(precision="float32", decoder="pil", device_type="cpu")


def resolved(
    preprocessing: Preprocessing | None = None, weights: str = "a" * 64, **changes: Any
) -> ResolvedModel:
    spec = ModelSpec.model_validate(SPEC | changes)
    return ResolvedModel(
        spec=spec,
        preprocessing=preprocessing or Preprocessing(),
        weights_file=spec.weights or Path("none"),
        weights_sha256=weights,
    )


VERSIONS = {
    "weights": resolved(weights="b" * 64),
    "loader": resolved(loader="timm:resnet34"),
    "arguments": resolved(arguments={"num_classes": 11}),
    "another argument": resolved(arguments={"num_classes": 10, "drop_rate": 0.5}),
    "resize": resolved(Preprocessing(resize=256)),
    "crop of two sides": resolved(Preprocessing(crop=(224, 192))),
    "height and width": resolved(Preprocessing(resize=(256, 256))),
    "crop": resolved(Preprocessing(crop=224)),
    "interpolation": resolved(Preprocessing(interpolation="bicubic")),
    "antialias": resolved(Preprocessing(antialias=False)),
    "mean": resolved(Preprocessing(mean=(0.5, 0.5, 0.5))),
    "std": resolved(Preprocessing(std=(0.5, 0.5, 0.5))),
    "output": resolved(output="probabilities"),
    "revision": resolved(revision="2"),
    "key order": resolved(key_order="positional"),
    "fit": resolved(Preprocessing(resize=256, crop=224, fit="longer")),
    "channels": resolved(Preprocessing(channels="bgr")),
    "divisor": resolved(Preprocessing(divisor=1)),
    "labels": resolved().model_copy(update={"labels": ("cat", None)}),
    "ignored outputs": resolved(labels={"ignore": [0]}),
    "the order of the dataset": resolved(labels="dataset-order"),
}


def test_everything_that_defines_a_model_is_in_its_fingerprint() -> None:
    fingerprints = {name: model.fingerprint for name, model in VERSIONS.items()}
    fingerprints["as it was"] = resolved().fingerprint
    assert len(set(fingerprints.values())) == len(fingerprints)


def test_every_field_was_tried() -> None:
    # A new field must be added to the fingerprint, or here with the reason why not.
    tried = {"loader", "arguments", "preprocessing", "output", "revision", "key_order", "labels"}
    not_part = {"name", "weights", "targets", "trusted"}
    assert set(ModelSpec.model_fields) == tried | not_part
    fields = {"resize", "crop", "interpolation", "antialias", "mean", "std"}
    assert set(Preprocessing.model_fields) == fields | {"fit", "channels", "divisor"}
    assert "lanczos" not in get_args(Interpolation)


def test_name_and_place_are_not() -> None:
    moved = resolved(weights=resolved().weights_sha256, name="other")
    elsewhere = ResolvedModel(
        spec=ModelSpec.model_validate(SPEC | {"weights": Path("/other/b.pth")}),
        preprocessing=Preprocessing(),
        weights_file=Path("/other/b.pth"),
        weights_sha256="a" * 64,
    )
    assert moved.fingerprint == elsewhere.fingerprint == resolved().fingerprint


def test_where_the_preprocessing_was_found_does_not_matter() -> None:
    declared = resolved(preprocessing=Preprocessing(resize=32))
    spec = ModelSpec.model_validate(SPEC | {"preprocessing": Preprocessing(resize=32)})
    said = declared.model_copy(update={"spec": spec})
    assert said.fingerprint == declared.fingerprint


def test_the_order_of_arguments_does_not_matter() -> None:
    one = resolved(arguments={"a": 1, "b": 2})
    other = resolved(arguments={"b": 2, "a": 1})
    assert one.fingerprint == other.fingerprint


def test_a_fingerprint_is_fixed() -> None:
    # Else all predictions of years past would be computed again.
    assert resolved().fingerprint == (
        "5d4c9a84a0078f08e8a92c5a9ee309e9c5e356dd6921416d52e7725b64ee75c9"
    )


def test_run_names() -> None:
    model = resolved()
    names = {
        run_name(model, EXACT),
        run_name(VERSIONS["weights"], EXACT),
        *(
            run_name(model, EXACT.model_copy(update=change))
            for change in (
                {"precision": "bfloat16"},
                {"decoder": "torchvision"},
                {"device_type": "cuda"},
                {"engine_revision": EXACT.engine_revision + 1},
            )
        ),
    }
    assert len(names) == 6
    assert all(name.startswith("r") and len(name) == 17 for name in names)
    assert run_name(resolved(name="other"), EXACT) == run_name(model, EXACT)


def test_a_resolved_model_survives_json() -> None:
    model = VERSIONS["height and width"]
    again = ResolvedModel.model_validate_json(model.model_dump_json())
    assert again == model
    assert again.fingerprint == model.fingerprint


@pytest.mark.parametrize(
    "loader", ["resnet18", "keras:x", "timm:", "timm", "module:", "importedx", "onnxx", ""]
)
def test_loaders_are_known_ones(loader: str) -> None:
    with pytest.raises(ValidationError, match="String should match pattern"):
        ModelSpec(name="m", loader=loader)


@pytest.mark.parametrize("name", ["M", "", "-m", "a/b", "a b", "m\n"])
def test_names_can_be_folders(name: str) -> None:
    with pytest.raises(ValidationError, match="String should match pattern"):
        ModelSpec(name=name, loader="imported")


def test_imported_models_are_told() -> None:
    assert resolved(loader="imported").is_imported
    assert not resolved().is_imported


@pytest.mark.parametrize(
    ("preprocessing", "words"),
    [
        (Preprocessing(), "as is, mean 0 0 0, std 1 1 1"),
        (
            Preprocessing(resize=256, crop=224, interpolation="bicubic", antialias=False),
            "resize 256 bicubic, centre crop 224, no antialias, mean 0 0 0, std 1 1 1",
        ),
    ],
)
def test_preprocessing_in_words(preprocessing: Preprocessing, words: str) -> None:
    assert str(preprocessing) == words


def test_what_was_added_to_the_numerics_leaves_older_names_as_they_were() -> None:
    """The canonical text of a result from before there was ``compile``."""
    before = (
        '{"precision":"float32","decoder":"pil","device_type":"cpu","engine_revision":'
        f"{EXACT.engine_revision}}}"
    )
    assert EXACT.canonical_json() == before
    assert Numerics.model_validate_json(before) == EXACT
    compiled = EXACT.model_copy(update={"compile": True})
    assert compiled.canonical_json() != before
