"""Fetched weights under the artifact root: whole or not there, and never fetched twice."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from shards.errors import ModelError, NightmarkError, ShardError
from shards.store import COPY_BYTES, Store
from tasks.layout import fetched_weights
from tasks.models.digests import facts_sha256, file_sha256
from tasks.models.foreign import first_line, require_extra
from tasks.models.spec import ModelSpec
from tasks.records import Record
from tasks.weights.address import Address
from tasks.weights.redaction import without_secrets
from tasks.weights.remote import Remote, RemoteFile, Stamp

RECORD = "fetched.json"
ID_DIGITS = 16
HIDDEN, PARTIAL = ".", ".partial"
"""Around the name of a folder in which files arrive; what is left of it by a kill is pruned."""


class KeptFile(BaseModel):
    """A file as it was written."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    size: int
    sha256: str


class KeptWeights(Record):
    """``fetched.json``, written when all files are there, and again whenever they are used.

    Attributes:
        address: where they were fetched from, without secrets.
    """

    schema_name: Literal["nightmark.fetched-weights"] = "nightmark.fetched-weights"
    schema_version: Literal[1] = 1
    address: str
    stamp: Stamp
    files: tuple[KeptFile, ...]


class Fetched(BaseModel):
    """Weights that are at hand.

    Attributes:
        path: the local file, or the folder of files.
        origin: where they lie and at which revision, for records and people.
        version: differs where another address, or other bytes, were fetched.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    origin: str
    version: str


def stamp_of(model: str, address: Address) -> Stamp:
    """What lies at the address now. Raises ModelError where that cannot be learned."""
    with _asking(model, address) as remote:
        return remote.stamp()


def version_of(address: Address, stamp: Stamp) -> str:
    """Names what a stamp found; equal while the address and all contents are."""
    files = [(file.name, file.content) for file in stamp.files]
    return facts_sha256([address.text, files])[:ID_DIGITS]


def fetch(store: Store, spec: ModelSpec) -> Fetched | None:
    """The weights of a model as they are now, at hand; None if the plan gives a local path.

    They are kept under the artifact root, or in the user's cache where that is no local folder.
    What is there, whole and of the present version is not fetched again.

    Raises:
        ModelError: they cannot be had; says why and what to do.
        StoreError: they cannot be written.
    """
    if not isinstance(spec.weights, Address):
        return None
    return fetch_stamped(store, spec.name, spec.weights, stamp_of(spec.name, spec.weights))


def fetch_stamped(store: Store, model: str, address: Address, stamp: Stamp) -> Fetched:
    """What the stamp found, at hand; otherwise like ``fetch``."""
    local = store if store.is_local else Store.at(_users_cache())
    version = version_of(address, stamp)
    folder = fetched_weights(model, version)
    files = _whole(local, folder)
    if files is None:
        with _asking(model, address) as remote:
            files = _arrived(local, folder, remote, stamp)
    kept = KeptWeights(address=address.shown, stamp=stamp, files=files)
    local.publish(f"{folder}/{RECORD}", kept.to_json())
    file = address.remote.path
    return Fetched(
        path=Path(local.locate(folder if file is None else f"{folder}/{file.name}")),
        origin=f"{address.shown} at {stamp}",
        version=version,
    )


def _whole(store: Store, folder: str) -> tuple[KeptFile, ...] | None:
    """The files that are there as their record says, byte by byte; None if they are not."""
    record = f"{folder}/{RECORD}"
    try:
        if not store.exists(record):
            return None
        files = KeptWeights.read(store, record, "run again").files
        are_whole = all(
            store.size(f"{folder}/{file.name}") == file.size
            and file_sha256(Path(store.locate(f"{folder}/{file.name}"))) == file.sha256
            for file in files
        )
    except (OSError, ShardError):  # pruned this moment, or damaged: fetched again
        return None
    return files if are_whole else None


def _arrived(store: Store, folder: str, remote: Remote, stamp: Stamp) -> tuple[KeptFile, ...]:
    """Fetch the files of a stamp, and publish each when it is whole."""
    around = Path(store.locate(folder)).parent
    around.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=HIDDEN, suffix=PARTIAL, dir=around) as arriving:
        return tuple(
            _published(store, f"{folder}/{file.name}", remote, stamp, file, Path(arriving))
            for file in stamp.files
        )


def _published(
    store: Store, path: str, remote: Remote, stamp: Stamp, file: RemoteFile, arriving: Path
) -> KeptFile:
    arrived = remote.fetch(stamp, file, arriving)
    size = arrived.stat().st_size
    if file.size not in (None, size):
        raise EOFError(f"{file.name} has {file.size} bytes there, and {size} arrived")
    digest = hashlib.sha256()
    with arrived.open("rb") as reading, store.publishing(path) as writing:
        while block := reading.read(COPY_BYTES):
            digest.update(block)
            writing.write(block)
    arrived.unlink()
    return KeptFile(name=file.name, size=size, sha256=digest.hexdigest())


@contextmanager
def _asking(model: str, address: Address) -> Iterator[Remote]:
    """The place of the address, whose client's errors become one sentence."""
    remote = address.remote
    if remote.needs is not None:
        require_extra(*remote.needs, model)
    try:
        yield remote
    except NightmarkError:
        raise
    except Exception as error:  # every client has errors of its own
        raise ModelError(
            f"model {model}: weights {address.shown} cannot be had "
            f"({without_secrets(first_line(error))}); see that "
            f"they are there and that this machine gets there ({remote.setting}), or give "
            f"`weights` as a local path"
        ) from None  # its own message is not for a log


def _users_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nightmark"
