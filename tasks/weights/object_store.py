"""An object store, a web server, or whatever else fsspec can read."""

import importlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import fsspec
from fsspec.registry import available_protocols

from tasks.models.digests import facts_sha256
from tasks.weights.redaction import PASSWORDS, without_secrets
from tasks.weights.remote import RemoteFile, ReplacedError, Stamp, file_path, of_a_folder

PACKAGES = {
    "s3": ("s3fs", "s3"),
    "s3a": ("s3fs", "s3"),
    "gs": ("gcsfs", "gcs"),
    "gcs": ("gcsfs", "gcs"),
    "http": ("aiohttp", "http"),
    "https": ("aiohttp", "http"),
}
"""By protocol: the package that fsspec needs for it, and nightmark's extra."""
SETTINGS = {
    "s3": "AWS_ENDPOINT_URL, AWS_PROFILE or the keys in the environment",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS in the environment",
}
CONNECT_SECONDS, SILENT_SECONDS = 15, 60
"""How long a server may take to answer the call, and to send nothing."""
REVISIONS = ("VersionId", "generation", "ETag", "etag", "Content-MD5")
UNVERSIONED = "null"
"""The VersionId of whatever is written to a bucket whose versioning was suspended."""
TIMES = ("LastModified", "Last-Modified", "updated", "mtime", "created")
"""What stores tell of an object that changes with its content; of a time also the size counts."""
ID_DIGITS = 16


@dataclass(frozen=True)
class ObjectStore:
    """An object, or all objects right below a prefix that ends in a slash."""

    url: str

    @classmethod
    def of(cls, url: str) -> "ObjectStore":
        """Raises ValueError where fsspec cannot read such a URL, or it names no object."""
        split = urlsplit(url)
        if split.scheme not in available_protocols():
            raise ValueError(f"{without_secrets(url)}: fsspec knows no {split.scheme}://")
        if PASSWORDS.search(url):
            raise ValueError(
                f"{without_secrets(url)}: credentials do not belong into a plan; put them where "
                f"the client of the store looks for them"
            )
        if not split.path.strip("/"):
            raise ValueError(f"{without_secrets(url)} names no file")
        file_path(split.path)
        return cls(url)

    @property
    def needs(self) -> tuple[str, str] | None:
        return PACKAGES.get(self._protocol)

    @property
    def setting(self) -> str:
        return SETTINGS.get(self._protocol, "its address and credentials")

    @property
    def path(self) -> PurePosixPath | None:
        return file_path(urlsplit(self.url).path)

    def stamp(self) -> Stamp:
        """One HEAD request, or a listing."""
        filesystem, place = self._opened()
        if self.path is not None:
            entry = filesystem.info(place)
            what, revision = _revision(entry)
            content, size = f"{what} {revision}", entry.get("size")
            file = RemoteFile(name=self.path.name, content=content, size=size)
            return Stamp(what=what, revision=revision, files=(file,))
        found = {
            PurePosixPath(entry["name"]).name: entry for entry in filesystem.ls(place, detail=True)
        }
        files = tuple(
            RemoteFile(name=name, content=" ".join(_revision(entry)), size=entry["size"])
            for name, entry in sorted(found.items())
            if entry["type"] == "file" and of_a_folder(name)
        )
        if not files:
            raise FileNotFoundError(f"{place} holds no safetensors")
        digest = facts_sha256([(file.name, file.content) for file in files])
        return Stamp(what="listing", revision=digest[:ID_DIGITS], files=files)

    def fetch(self, stamp: Stamp, file: RemoteFile, folder: Path) -> Path:
        filesystem, place = self._opened()
        wanted = place if self.path is not None else f"{place.rstrip('/')}/{file.name}"
        target = folder / file.name
        filesystem.get_file(wanted, str(target))
        # What was fetched is what was asked about only if nothing took its place meanwhile.
        if self.stamp() != stamp:
            raise ReplacedError(f"{file.name} was replaced while it was fetched; run again")
        return target

    @property
    def _protocol(self) -> str:
        return urlsplit(self.url).scheme

    def _opened(self) -> tuple[Any, str]:
        filesystem, place = fsspec.url_to_fs(self.url, **_options(self._protocol))
        filesystem.invalidate_cache()
        return filesystem, str(place)


def _options(protocol: str) -> dict[str, Any]:
    """What its client is told."""
    match protocol:
        case "s3":
            # s3fs tries five times itself; each of them should not be five again.
            retries = {"max_attempts": 1}
            return {"config_kwargs": {"retries": retries, "connect_timeout": CONNECT_SECONDS}}
        case "http" | "https":
            # Of itself it gives up after five minutes in all, however well the bytes flow.
            patience = importlib.import_module("aiohttp").ClientTimeout(
                total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENT_SECONDS
            )
            return {"client_kwargs": {"timeout": patience}}
        case _:
            return {}


def _revision(entry: dict[str, Any]) -> tuple[str, str]:
    """What the store calls the version of an object, and which it is.

    Raises:
        ValueError: it tells nothing that would change with the content.
    """
    for name in REVISIONS:
        if entry.get(name) and entry[name] != UNVERSIONED:
            return name, str(entry[name]).strip('"')
    for name in TIMES:
        if entry.get(name):
            return name, f"{entry[name]}, {entry.get('size')} bytes"
    raise ValueError("its store tells neither ETag nor time, so that no change could be noticed")
