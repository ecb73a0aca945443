"""The artifact root: whether it can be written, has room, keeps time, and what was left there."""

import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from shards.errors import NightmarkError
from shards.store import Store
from tasks.doctor.check import Check, fault, fine, skipped, warning
from tasks.layout import probe
from tasks.leases import Lease, read_leases
from tasks.metrics.words import counted
from tasks.retention.pieces import take_stock
from tasks.retention.words import size_text

CONTENT = b"nightmark doctor"
CLOCK_SECONDS = 60.0
LITTLE_ROOM = 1.2
"""Of what is needed: the page of a night, temporary files and estimates want some more."""


@dataclass(frozen=True, slots=True)
class Storage:
    """What was found at an artifact root.

    Attributes:
        fault: why a file could not be written, read back and removed.
        clock_offset: seconds by which its clock is ahead of ours; none where unknown.
        free: bytes; none for an object store.
        needed: bytes that the plan's shards and predictions will take, about.
        partial: files of killed writers, and their bytes.
        stale_leases: of killed processes.
        live_leases: who works there now.
        leases_fault: why leases cannot be read.
    """

    where: str
    fault: str = ""
    clock_offset: float | None = None
    free: int | None = None
    needed: int = 0
    partial: int = 0
    partial_bytes: int = 0
    stale_leases: int = 0
    live_leases: tuple[str, ...] = ()
    leases_fault: str = ""


def look_at(store: Store, needed: int) -> Storage:
    """Write a file, read it back, remove it; list what is there."""
    where = store.locate("")
    folder = probe(uuid.uuid4().hex)
    path = f"{folder}/written"
    try:
        store.publish(path, CONTENT)
        now = datetime.now(UTC)
        (file,) = store.files(folder)
        is_same = store.read(path) == CONTENT
        store.remove(path)
        store.remove_empty_folders([path])
    except (NightmarkError, OSError, ValueError) as error:
        return Storage(where, fault=str(error), needed=needed)
    except Exception as error:  # whatever the client of an object store raises
        return Storage(where, fault=f"{type(error).__name__}: {error}", needed=needed)
    stock = take_stock(store)
    abandoned = stock.abandoned(now)
    leases: list[Lease] = []
    leases_fault = ""
    try:
        leases = read_leases(store)
    except NightmarkError as error:
        leases_fault = str(error)
    return Storage(
        where,
        fault="" if is_same else "what was written is read back otherwise",
        clock_offset=(file.modified - now).total_seconds(),
        free=shutil.disk_usage(Path(where)).free if store.is_local else None,
        needed=needed,
        partial=len(abandoned),
        partial_bytes=sum(file.size for file in abandoned),
        stale_leases=sum(not lease.is_live(now) for lease in leases),
        live_leases=tuple(str(lease) for lease in leases if lease.is_live(now)),
        leases_fault=leases_fault,
    )


def check_storage(found: Storage) -> Iterator[Check]:
    """Written, room, clock, leases, leftovers."""
    name = "artifact root"
    if found.fault:
        remedy = "make it writable, or name another one (runtime.root, NIGHTMARK_ROOT)"
        yield fault(name, f"{found.where}: {found.fault}", remedy)
        return
    yield fine(name, f"{found.where}: written, read back and removed")
    yield _room(found)
    yield _clock(found.clock_offset)
    yield from _leases(found)
    if found.partial:
        said = (
            f"{counted(found.partial, 'file')} of killed writers ({size_text(found.partial_bytes)})"
        )
        yield warning("leftovers", said, "nightmark prune --delete removes them")
    else:
        yield fine("leftovers", "no files of killed writers")


def _room(found: Storage) -> Check:
    needed = f"the plan needs about {size_text(found.needed)} more"
    if found.free is None:
        return skipped("disk space", f"an object store does not say; {needed}")
    said = f"{size_text(found.free)} free; {needed}"
    if found.free < found.needed:
        return fault(
            "disk space", said, "make room (nightmark prune), or move the root to a larger disk"
        )
    if found.free < LITTLE_ROOM * found.needed:
        return warning("disk space", said, "make room: nightmark prune shows what may go")
    return fine("disk space", said)


def _clock(offset: float | None) -> Check:
    if offset is None:
        return skipped("clock of the root", "unknown")
    said = f"its clock differs from this machine's by {abs(offset):.0f} s"
    if abs(offset) > CLOCK_SECONDS:
        return fault("clock of the root", said, "set both by NTP: leases and prune compare times")
    return fine("clock of the root", said)


def _leases(found: Storage) -> Iterator[Check]:
    if found.leases_fault:
        yield warning("leases", found.leases_fault, "remove that file, or upgrade nightmark")
        return
    live = "; ".join(found.live_leases) or "nobody works there now"
    if found.stale_leases:
        said = f"{found.stale_leases} of killed processes; {live}"
        yield warning("leases", said, "nightmark prune --delete removes them")
    else:
        yield fine("leases", live)
