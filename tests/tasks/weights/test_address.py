from pathlib import Path

import pytest
from pydantic import ValidationError

from tasks.models.spec import ModelSpec
from tasks.weights.address import Address


def spec(**changes: object) -> ModelSpec:
    return ModelSpec.model_validate({"name": "m", "loader": "timm:resnet18"} | changes)


@pytest.mark.parametrize(
    ("text", "file"),
    [
        ("s3://bucket/models/best.safetensors", "best.safetensors"),
        ("s3://bucket/best.safetensors?versionId=3", "best.safetensors"),
        ("s3://bucket/models/", None),
        ("gs://bucket/best.onnx", "best.onnx"),
        ("https://host:8080/a/best.pth?token=x", "best.pth"),
        ("memory://w/best.pth", "best.pth"),
        ("hf://my-org/pets/model.safetensors", "model.safetensors"),
        ("hf://my-org/pets@main/onnx/model.onnx", "model.onnx"),
        ("hf://models/my-org/pets@refs/pr/3/model.safetensors", "model.safetensors"),
        ("hf://my-org/pets@v1.0", None),
        ("hf://my-org/pets@try%2Fthis/", None),
        ("models:/pets@champion/best.safetensors", "best.safetensors"),
        ("models:/pets/3/model/data/best.safetensors", "best.safetensors"),
        ("models:/pets@champion", None),
        ("models:/pets/3/model/", None),
    ],
)
def test_addresses_and_the_file_they_name(text: str, file: str | None) -> None:
    assert Address.is_one(text)
    path = Address(text).remote.path
    assert (None if path is None else path.name) == file


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("s4://bucket/file", "fsspec knows no s4://"),
        ("s3://bucket", "names no file"),
        ("s3://key:secret@bucket/file", "credentials do not belong into a plan"),
        ("s3://key:sec/secret@bucket/file", "credentials do not belong into a plan"),
        ("s4://key:secret@bucket/file", "fsspec knows no s4://"),
        ("https://host?sig=secret", "names no file"),
        ("https://host/a/.hidden", "is no path of a file"),
        ("hf://pets@main", "write hf://ORG/NAME@REVISION/FILE"),
        ("hf://datasets/my-org/pets/file.bin", "of a model repository"),
        ("hf://my-org/pets@main/../../file", "is no path of a file"),
        ("models:/pets", "write models:/NAME@ALIAS/FILE"),
        ("models:/pets/Production/best.safetensors", "write models:/NAME@ALIAS/FILE"),
    ],
)
def test_what_is_no_address(text: str, fault: str) -> None:
    assert Address.is_one(text)
    with pytest.raises(ValueError, match=fault) as refused:
        Address(text)
    assert "secret" not in str(refused.value)
    with pytest.raises(ValidationError, match=fault):
        spec(weights=text)


@pytest.mark.parametrize("text", ["/models/a.pth", "a.pth", "./s3/a", "C/a:b", "models/a.pth"])
def test_paths_are_paths(text: str) -> None:
    assert not Address.is_one(text)
    assert spec(weights=text).weights == Path(text)


def test_a_spec_with_an_address_survives_json() -> None:
    given = spec(loader="onnx:hf://my-org/pets@v1/model.onnx")
    assert given.loader == "onnx"
    assert given.weights == Address("hf://my-org/pets@v1/model.onnx")
    again = ModelSpec.model_validate_json(given.model_dump_json())
    assert again == given


def test_a_signature_is_not_shown() -> None:
    signed = Address("https://host/a.pth?sig=secret")
    assert signed.shown == str(signed) == "https://host/a.pth"
    assert "secret" not in repr(signed)
    given = spec(weights=signed.text)
    # What Prefect keeps of a flow's parameters, and the watch of a model.
    assert "secret" not in given.model_dump_json()
    assert given.weights == signed
    assert Address("s3://b/a.pth?versionId=3").shown == "s3://b/a.pth?versionId=3"


def test_revisions_are_read_as_the_hub_writes_them() -> None:
    from huggingface_hub.utils import parse_hf_uri

    for text in (
        "hf://my-org/pets/model.safetensors",
        "hf://my-org/pets@v1/a/model.safetensors",
        "hf://my-org/pets@try%2Fthis/model.safetensors",
        "hf://models/my-org/pets@refs/pr/12/model.safetensors",
    ):
        ours, theirs = Address(text).remote, parse_hf_uri(text)
        told = (ours.repository, ours.revision, ours.file)  # type: ignore[attr-defined]
        assert told == (theirs.id, theirs.revision or "main", theirs.path_in_repo)
