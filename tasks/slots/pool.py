"""Slots, each a device with one engine process; a process that dies is replaced."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from shards.errors import ShardError
from tasks.models.engine import ShardPredictions
from tasks.slots.child import EngineLostError, EngineProcess
from tasks.slots.devices import Device
from tasks.slots.process import ShardJob

ATTEMPTS = 3
"""How often a shard may take its process down with it before it is given up."""
STRIKES = 2
"""How many shards, with no success between them, a slot may give up before it is lost."""


class GivenUpError(ShardError):
    """A shard took the process of a slot down with it, again and again."""


class StoppedError(ShardError):
    """The pool was closed in the middle of the work: somebody interrupted it."""


class NoSlotError(ShardError):
    """No slot of the pool is of use any more."""


class Slot:
    """A device and the one process that lives on it; started at its first job."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.fault = ""
        """Why it gave up the last shard."""
        self._given_up: set[str] = set()
        self._process: EngineProcess | None = None
        self._closed = False
        self._starting = threading.Lock()

    @property
    def is_lost(self) -> bool:
        return len(self._given_up) >= STRIKES

    @property
    def pid(self) -> int | None:
        """The process that lives here now."""
        return None if self._process is None else self._process.pid

    def is_ready(self, within: float) -> bool:
        """Whether its process has the device; it is started, and waited for so many seconds.

        A process that ends instead is for ``predict`` to replace.

        Raises:
            StoppedError: the slot was closed meanwhile.
        """
        try:
            return self._started().is_ready(within)
        except EngineLostError:
            self._check_open()
            return True

    def predict(self, job: ShardJob) -> ShardPredictions:
        """Run the job here.

        Raises:
            GivenUpError: the process was lost ``ATTEMPTS`` times over this shard.
            StoppedError: the slot was closed meanwhile.
            ModelError, ShardError: as ``tasks.slots.process.predict``.
        """
        told = ""
        for _ in range(ATTEMPTS):
            try:
                answer = self._started().ask(job)
            except EngineLostError as error:
                told = str(error)
                self._end_process()
                continue
            self._given_up.clear()
            return answer.found()
        self._check_open()
        self._given_up.add(job.shard.entry.sha256)
        self.fault = (
            f"the engine process on {self.device} was lost {ATTEMPTS} times over "
            f"{job.shard.entry.url} with model {job.model.name}, the last time because {told}"
        )
        raise GivenUpError(self.fault)

    def revive(self) -> None:
        """Give a lost slot another chance: other work may not hurt it."""
        self._given_up.clear()

    def close(self) -> None:
        """For good: the batches in hand are finished, and nothing begins here any more."""
        with self._starting:
            self._closed = True
        self._end_process()

    def _started(self) -> EngineProcess:
        with self._starting:
            self._check_open()
            if self._process is None:
                self._process = EngineProcess(self.device)
            return self._process

    def _end_process(self) -> None:
        with self._starting:
            ending, self._process = self._process, None
        if ending is not None:
            ending.end()

    def _check_open(self) -> None:
        if self._closed:
            raise StoppedError("interrupted; what is finished is kept, run again for the rest")


class SlotPool:
    """Slots to borrow, one borrower at a time each."""

    def __init__(self, devices: tuple[Device, ...]) -> None:
        self.devices = devices
        self._slots = [Slot(device) for device in devices]
        self._free = list(self._slots)
        self._changed = threading.Condition()

    @contextmanager
    def borrow(self, avoid: Slot | None = None) -> Iterator[Slot]:
        """A free slot; waits for one. ``avoid`` is taken only where there is no other.

        Raises:
            NoSlotError: every slot is lost; the message says how.
        """
        slot = self._take(avoid)
        try:
            yield slot
        finally:
            with self._changed:
                if not slot.is_lost:
                    self._free.append(slot)
                self._changed.notify_all()

    def revive(self) -> None:
        """Give slots that were lost over other work another chance."""
        with self._changed:
            lost = [slot for slot in self._slots if slot.is_lost]
            for slot in lost:
                slot.revive()
            self._free.extend(lost)

    def close(self) -> None:
        for slot in self._slots:
            slot.close()

    def _take(self, avoid: Slot | None) -> Slot:
        with self._changed:
            while True:
                useful = [slot for slot in self._slots if not slot.is_lost]
                if not useful:
                    raise NoSlotError(f"no slot is left: {self._slots[-1].fault}")
                wanted = [slot for slot in self._free if slot is not avoid or len(useful) == 1]
                if wanted:
                    self._free.remove(wanted[0])
                    return wanted[0]
                self._changed.wait()


_CURRENT: ContextVar[SlotPool | None] = ContextVar("slot_pool", default=None)


@contextmanager
def slot_pool(devices: tuple[Device, ...]) -> Iterator[SlotPool]:
    """The pool of these devices. Inside another pool of the same devices that one is shared, so
    that the evaluations of one night find their processes warm.
    """
    outer = _CURRENT.get()
    if outer is not None and outer.devices == devices:
        outer.revive()
        with _closed_when_interrupted(outer):
            yield outer
        return
    pool = SlotPool(devices)
    token = _CURRENT.set(pool)
    try:
        with _closed_when_interrupted(pool):
            yield pool
    finally:
        _CURRENT.reset(token)
        pool.close()


@contextmanager
def _closed_when_interrupted(pool: SlotPool) -> Iterator[None]:
    """Ctrl-C and SIGTERM reach the main thread; the tasks' threads learn of it by their slots."""
    try:
        yield
    except Exception:
        raise
    except BaseException:
        pool.close()
        raise
