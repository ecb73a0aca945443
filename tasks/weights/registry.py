"""A version of a model in an MLflow registry, by its alias or number."""

import importlib
import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from tasks.weights.remote import RemoteFile, Stamp, file_path, of_a_folder

PREFIX = "models:/"
ADDRESS = re.compile(
    r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>\d+))(?:/(?P<file>.*))?"
)
"""As MLflow writes it."""
REGISTRY, TRACKING = "MLFLOW_REGISTRY_URI", "MLFLOW_TRACKING_URI"
HABITS = {
    # Minutes of trying again tell nobody that the registry is away.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
"""How its client behaves, where the environment does not say it."""


@dataclass(frozen=True)
class Registry:
    """An artifact of a model version, or all in its top folder or one below it (with a slash)."""

    name: str
    alias: str | None
    version: str | None
    file: str

    @classmethod
    def of(cls, text: str) -> "Registry":
        """Raises ValueError where it is no address of a model version."""
        matched = ADDRESS.fullmatch(text)
        if matched is None:
            raise ValueError(f"{text}: write models:/NAME@ALIAS/FILE or models:/NAME/VERSION/FILE")
        file = matched["file"] or ""
        file_path(file)
        return cls(matched["name"], matched["alias"], matched["version"], file)

    @property
    def needs(self) -> tuple[str, str] | None:
        return "mlflow", "mlflow"

    @property
    def setting(self) -> str:
        return f"{TRACKING} in the environment, and the credentials that it asks for"

    @property
    def path(self) -> PurePosixPath | None:
        return file_path(self.file)

    def stamp(self) -> Stamp:
        """The version that the alias stands for now; the artifacts of a version never change."""
        mlflow = _mlflow()
        client = mlflow.MlflowClient()
        if self.alias is not None:
            version = client.get_model_version_by_alias(self.name, self.alias)
        else:
            version = client.get_model_version(self.name, self.version)
        # A model that was deleted and made again counts its versions anew.
        content = f"version {version.version} of {version.creation_timestamp}"
        files: tuple[RemoteFile, ...]
        if self.path is not None:
            files = (RemoteFile(name=self.path.name, content=content),)
        else:
            listed = mlflow.artifacts.list_artifacts(self._uri(str(version.version), self.file))
            files = tuple(
                RemoteFile(name=PurePosixPath(each.path).name, content=content, size=each.file_size)
                for each in listed
                if not each.is_dir and of_a_folder(PurePosixPath(each.path).name)
            )
        if not files:
            raise FileNotFoundError(f"version {version.version} has no safetensors in /{self.file}")
        return Stamp(what="version", revision=str(version.version), files=files)

    def fetch(self, stamp: Stamp, file: RemoteFile, folder: Path) -> Path:
        inside = self.file if self.path is not None else f"{self.file}{file.name}"
        fetched = _mlflow().artifacts.download_artifacts(
            artifact_uri=self._uri(stamp.revision, inside), dst_path=str(folder)
        )
        return Path(fetched)

    def _uri(self, version: str, inside: str) -> str:
        return f"{PREFIX}{self.name}/{version}/{inside}".rstrip("/")


def _mlflow() -> Any:
    """The client. Raises LookupError where nothing says which registry is meant."""
    if not (os.environ.get(TRACKING) or os.environ.get(REGISTRY)):
        # It would make an empty one in the working directory.
        raise LookupError(f"{TRACKING} is not set, so that no registry can be asked")
    for variable, value in HABITS.items():
        os.environ.setdefault(variable, value)
    importlib.import_module("mlflow.artifacts")
    return importlib.import_module("mlflow")
