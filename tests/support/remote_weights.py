"""Places of weights in which a test puts one version after another, with their real clients."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.hub import serving_hub

FILE = "best.safetensors"
BUCKET = "weights"
MEMORY = Path("/dev/shm")  # noqa: S108
"""A database made there takes a third of the time."""
KEYS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
}
CLIENT = {
    "aws_access_key_id": KEYS["AWS_ACCESS_KEY_ID"],
    "aws_secret_access_key": KEYS["AWS_SECRET_ACCESS_KEY"],
    "region_name": KEYS["AWS_DEFAULT_REGION"],
}
"""The same, as boto3 takes it."""
MLFLOW = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


@dataclass(frozen=True)
class Place:
    """Where a test puts weights.

    Attributes:
        address: what a plan says.
        environment: what leads a client there.
        away: the same, but leading to nobody.
        put: makes these bytes what the address stands for.
    """

    address: str
    environment: Mapping[str, str]
    away: Mapping[str, str]
    put: Callable[[bytes], None]


@contextmanager
def s3() -> Iterator[Place]:
    """A bucket on a server that speaks S3."""
    pytest.importorskip("s3fs")
    server_module = pytest.importorskip("moto.server")
    boto3 = pytest.importorskip("boto3")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    client = boto3.client("s3", endpoint_url=url, **CLIENT)
    client.create_bucket(Bucket=BUCKET)
    try:
        yield Place(
            address=f"s3://{BUCKET}/models/{FILE}",
            environment={**KEYS, "AWS_ENDPOINT_URL": url},
            away={**KEYS, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"},
            put=lambda content: client.put_object(
                Bucket=BUCKET, Key=f"models/{FILE}", Body=content
            ),
        )
    finally:
        client.close()
        server.stop()


@contextmanager
def hub() -> Iterator[Place]:
    """A repository on a server that speaks the Hugging Face hub's protocol."""
    pytest.importorskip("huggingface_hub")
    with serving_hub() as served:
        yield Place(
            address=f"hf://my-org/pets@main/{FILE}",
            environment={"HF_ENDPOINT": served.url},
            away={"HF_ENDPOINT": "http://127.0.0.1:9"},
            put=lambda content: served.commit("my-org/pets", {FILE: content, "README.md": b"#"}),
        )


@contextmanager
def mlflow(folder: Path) -> Iterator[Place]:
    """A registry in a database of its own."""
    module = pytest.importorskip("mlflow")
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as place:
        yield _registry(module, f"sqlite:///{place}/mlflow.db", folder)


def _registry(module: Any, uri: str, folder: Path) -> Place:
    client = module.MlflowClient(tracking_uri=uri, registry_uri=uri)
    client.create_registered_model("pets")

    def put(content: bytes) -> None:
        number = len(client.search_model_versions("name='pets'")) + 1
        artifacts = folder / f"artifacts-{number}"
        artifacts.mkdir()
        (artifacts / FILE).write_bytes(content)
        version = client.create_model_version("pets", source=artifacts.as_uri())
        client.set_registered_model_alias("pets", "champion", version.version)

    return Place(
        address=f"models:/pets@champion/{FILE}",
        environment={**MLFLOW, "MLFLOW_TRACKING_URI": uri},
        away={**MLFLOW, "MLFLOW_TRACKING_URI": "http://127.0.0.1:9"},
        put=put,
    )
