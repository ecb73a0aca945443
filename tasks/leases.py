"""Leases: who works on which splits of a store now, so that housekeeping leaves those alone.

A lease is a record that its holder writes again every few seconds, and removes at its end. One that
was not renewed for minutes is of a process that was killed. This needs no lock and no common
memory, so that it holds on an object store, and between machines whose clocks agree to a minute.
"""

import getpass
import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Literal

from pydantic import AwareDatetime, Field

from shards.store import Store
from tasks.layout import LEASES, SplitName, lease
from tasks.records import Record

Work = Literal["night", "reprocess", "evaluation", "build", "rescoring", "comparison", "prune"]
RENEW_SECONDS = 15.0
STALE_SECONDS = 180.0
"""Twelve renewals: a busy or a paused machine misses some of them."""
PAUSE_SECONDS = 0.5
ID_DIGITS = 8

_held: ContextVar[frozenset[str]] = ContextVar("held", default=frozenset())


class Lease(Record):
    """One file under ``leases/``."""

    schema_name: Literal["nightmark.lease"] = "nightmark.lease"
    schema_version: Literal[1] = 1
    id: str
    work: Work
    splits: tuple[str, ...] = Field(description="What is worked on, as DATASET/SPLIT.")
    who: str
    host: str
    pid: int
    since: AwareDatetime
    renewed: AwareDatetime

    @property
    def name(self) -> str:
        """Of its file."""
        return f"{self.work}-{self.id}"

    def is_live(self, now: datetime) -> bool:
        """Whether its holder renewed it lately."""
        return now - self.renewed < timedelta(seconds=STALE_SECONDS)

    def __str__(self) -> str:
        of = f" of {', '.join(self.splits)}" if self.splits else ""
        holder = f"{self.who} on {self.host}, process {self.pid}"
        return f"{self.work}{of} ({holder}, since {self.since:%Y-%m-%d %H:%M} UTC)"


def read_leases(store: Store, work: Work | None = None) -> list[Lease]:
    """All leases, or those for one kind of work, stale ones too. Raises ShardError."""
    found = []
    for name in store.names(LEASES):
        if work is None or name.startswith(f"{work}-"):
            path = lease(name.removesuffix(".json"))
            with suppress(FileNotFoundError):  # its holder ended meanwhile
                found.append(Lease.from_json(store.read(path), store.locate(path)))
    return found


@contextmanager
def held(store: Store, work: Work, splits: Sequence[SplitName]) -> Iterator[None]:
    """Hold a lease on these splits inside the block; one that is held around it suffices.

    A prune that is under way is waited for, unless this is one.

    Raises:
        StoreError: the store cannot be written.
        ShardError: the lease of a prune is unreadable.
    """
    wanted = frozenset(f"{store.root} {split}" for split in splits)
    around = _held.get()
    if wanted and wanted <= around:
        yield
        return
    mine = _new(work, splits)
    # Written before others are looked at: of two that begin at once at least one sees the other.
    _write(store, mine)
    ended = threading.Event()
    beat = threading.Thread(target=_renew, args=(store, mine, ended), daemon=True)
    beat.start()
    token = _held.set(around | wanted)
    try:
        if work != "prune":
            _wait_for_prunes(store)
        yield
    finally:
        _held.reset(token)
        ended.set()
        beat.join()
        with suppress(Exception):  # gone already, or the store is; then it becomes stale
            store.remove(lease(mine.name))


def _new(work: Work, splits: Sequence[SplitName]) -> Lease:
    now = datetime.now(UTC)
    return Lease(
        id=uuid.uuid4().hex[:ID_DIGITS],
        work=work,
        splits=tuple(map(str, splits)),
        who=user_name(),
        host=socket.gethostname(),
        pid=os.getpid(),
        since=now,
        renewed=now,
    )


def user_name() -> str:
    """Who runs this process."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container whose user has no name
        return f"user {os.getuid()}"


def _write(store: Store, mine: Lease) -> None:
    store.publish(lease(mine.name), mine.to_json())


def _renew(store: Store, mine: Lease, ended: threading.Event) -> None:
    while not ended.wait(RENEW_SECONDS):
        # A store that cannot be written now may be later; the work itself tells of it. Clients of
        # object stores raise what they like, and without this thread a prune takes what is in use.
        with suppress(Exception):
            _write(store, mine.model_copy(update={"renewed": datetime.now(UTC)}))


def _wait_for_prunes(store: Store) -> None:
    told = False
    while live := [p for p in read_leases(store, "prune") if p.is_live(datetime.now(UTC))]:
        if not told:
            sys.stderr.write(f"waiting for the end of {live[0]}\n")
            told = True
        time.sleep(PAUSE_SECONDS)
