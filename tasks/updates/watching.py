"""Whether a model's files changed: a cheap look first, the digest only where it says so."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from shards.errors import NightmarkError
from shards.store import Store
from tasks.layout import watched_model
from tasks.models.spec import ModelSpec, ResolvedModel
from tasks.records import Record
from tasks.weights.address import Address
from tasks.weights.kept import Fetched, fetch_stamped, stamp_of, version_of

Resolve = Callable[[ModelSpec, Fetched | None], ResolvedModel]
LookState = Literal["known", "read", "unsettled", "unusable"]


class SeenFile(BaseModel):
    """What a directory says of a file (or folder): enough to tell that it was written again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    size: int
    modified_ns: int


class Seen(Record):
    """A model as it was when its files were last read.

    Attributes:
        spec: the model in the plan, canonical JSON; whatever changes there is looked at again.
        announced: the fingerprint that was last told of as an update; empty if none was.
        version: of weights that lie elsewhere, what was found there; ``files`` is empty then.
    """

    schema_name: Literal["nightmark.seen-model"] = "nightmark.seen-model"
    schema_version: Literal[1] = 1
    model: str
    spec: str
    files: tuple[SeenFile, ...]
    fingerprint: str
    announced: str = ""
    version: str = ""


@dataclass(frozen=True)
class Look:
    """What a look at a model's files found.

    ``known``: as they were, nothing was read; ``read``: they were digested; ``unsettled``: somebody
    is still writing; ``unusable``: the sentence says why.
    """

    model: str
    state: LookState
    seen: Seen | None = None
    sentence: str = ""


def look_at(
    store: Store, plan: str, spec: ModelSpec, resolve: Resolve, settle_seconds: float
) -> Look:
    """Look at a model of a plan, and remember what was found.

    Files that differ from those remembered are read once they have stood still for
    ``settle_seconds``, which this waits, and only if they are the same after reading. Of weights
    that lie elsewhere the revision is asked, and they are fetched only if it is another that has
    stood as long.
    """
    try:
        known = read_seen(store, plan, spec.name)
        if isinstance(spec.weights, Address):
            found = _look_elsewhere(store, spec, spec.weights, known, resolve, settle_seconds)
        else:
            found = _look_here(spec, known, resolve, settle_seconds)
        if found.state == "read" and found.seen is not None:
            remember(store, plan, found.seen)
    except NightmarkError as error:
        return Look(spec.name, "unusable", sentence=str(error))
    except OSError as error:
        why = error.strerror or str(error)
        said = f"model {spec.name}: {error.filename}: {why}; put the file back or correct `weights`"
        return Look(spec.name, "unusable", sentence=said)
    return found


def _look_here(
    spec: ModelSpec, known: Seen | None, resolve: Resolve, settle_seconds: float
) -> Look:
    """Raises ModelError or OSError where the files cannot be read."""
    before = _stat(_watched(spec, known))
    canonical = spec.model_dump_json()
    if known is not None and (known.spec, known.files) == (canonical, before):
        return Look(spec.name, "known", known)
    time.sleep(settle_seconds)
    if _stat(_watched(spec, known)) != before:
        return _unsettled(spec)
    model = resolve(spec, None)
    paths = _paths(spec, model.files)
    after = _stat(tuple(sorted({*_watched(spec, known), *paths})))
    if not set(before) <= set(after):
        return _unsettled(spec)
    seen = Seen(
        model=spec.name,
        spec=canonical,
        # As they stood when that was sure: what is written from now on is another version.
        files=tuple(file for file in after if Path(file.path) in paths),
        fingerprint=model.fingerprint,
        announced="" if known is None else known.announced,
    )
    return Look(spec.name, "read", seen)


def _look_elsewhere(
    store: Store,
    spec: ModelSpec,
    address: Address,
    known: Seen | None,
    resolve: Resolve,
    settle_seconds: float,
) -> Look:
    """Raises ModelError where its place cannot be asked."""
    stamp = stamp_of(spec.name, address)
    version, canonical = version_of(address, stamp), spec.model_dump_json()
    if known is not None and (known.spec, known.version) == (canonical, version):
        return Look(spec.name, "known", known)
    # A hub and a bucket show whole files only; a folder behind a web server shows what has arrived.
    time.sleep(settle_seconds)
    if version_of(address, stamp_of(spec.name, address)) != version:
        return _unsettled(spec)
    model = resolve(spec, fetch_stamped(store, spec.name, address, stamp))
    seen = Seen(
        model=spec.name,
        spec=canonical,
        files=(),
        fingerprint=model.fingerprint,
        announced="" if known is None else known.announced,
        version=version,
    )
    return Look(spec.name, "read", seen)


def read_seen(store: Store, plan: str, model: str) -> Seen | None:
    """What is remembered of a model; None if nothing is. Raises ShardError if it is unreadable."""
    path = watched_model(plan, model)
    return Seen.read(store, path, "look again") if store.exists(path) else None


def remember(store: Store, plan: str, seen: Seen) -> None:
    """Publish what was seen of a model."""
    store.publish(watched_model(plan, seen.model), seen.to_json())


def _unsettled(spec: ModelSpec) -> Look:
    said = f"model {spec.name}: its files are still being written; they are looked at next time"
    return Look(spec.name, "unsettled", sentence=said)


def _watched(spec: ModelSpec, known: Seen | None) -> tuple[Path, ...]:
    """Where to look before the loader has said which files there are: the plan, and memory."""
    return _paths(spec, () if known is None else tuple(Path(file.path) for file in known.files))


def _paths(spec: ModelSpec, files: tuple[Path, ...]) -> tuple[Path, ...]:
    """``files`` and the plan's own weights; of a folder also itself, which new files change."""
    own = (spec.weights, *_within(spec.weights)) if isinstance(spec.weights, Path) else ()
    return tuple(sorted({*files, *own}))


def _within(folder: Path) -> tuple[Path, ...]:
    return tuple(folder.rglob("*")) if folder.is_dir() else ()


def _stat(paths: tuple[Path, ...]) -> tuple[SeenFile, ...]:
    """Raises OSError where one is missing."""
    found = [(path, path.stat()) for path in paths]
    return tuple(
        SeenFile(path=str(path), size=stat.st_size, modified_ns=stat.st_mtime_ns)
        for path, stat in found
    )
