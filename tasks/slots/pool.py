"""Slots, each a device with one spawned engine process; a process that dies is replaced."""

import multiprocessing
import queue
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from contextvars import ContextVar

from shards.errors import ShardError
from tasks.models.engine import ShardPredictions
from tasks.slots import process
from tasks.slots.devices import Device
from tasks.slots.process import ShardJob

ATTEMPTS = 3
"""How often a shard may take its process down with it before it is given up."""


class Slot:
    """A device and the one process that lives on it; started at its first job."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self._executor: ProcessPoolExecutor | None = None

    def predict(self, job: ShardJob) -> ShardPredictions:
        """Run the job here.

        Raises:
            ShardError: the process died ``ATTEMPTS`` times over this shard.
            ModelError, ShardError: as ``tasks.slots.process.predict``.
        """
        for _ in range(ATTEMPTS):
            try:
                return self._started().submit(process.predict, job).result()
            except BrokenProcessPool:
                self.close()
        raise ShardError(
            f"the engine process on {self.device} died {ATTEMPTS} times over {job.shard.entry.url} "
            f"with model {job.model.name}; see the system log (out of memory?) and run again"
        )

    def close(self) -> None:
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)
            self._executor = None

    def _started(self) -> ProcessPoolExecutor:
        if self._executor is None:
            self._executor = ProcessPoolExecutor(
                max_workers=1,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=process.start,
                initargs=(self.device,),
            )
        return self._executor


class SlotPool:
    """Slots to borrow, one borrower at a time each."""

    def __init__(self, devices: tuple[Device, ...]) -> None:
        self.devices = devices
        self._slots = [Slot(device) for device in devices]
        self._free: queue.SimpleQueue[Slot] = queue.SimpleQueue()
        for slot in self._slots:
            self._free.put(slot)

    @contextmanager
    def borrow(self) -> Iterator[Slot]:
        """A free slot; waits for one."""
        slot = self._free.get()
        try:
            yield slot
        finally:
            self._free.put(slot)

    def close(self) -> None:
        for slot in self._slots:
            slot.close()


_CURRENT: ContextVar[SlotPool | None] = ContextVar("slot_pool", default=None)


@contextmanager
def slot_pool(devices: tuple[Device, ...]) -> Iterator[SlotPool]:
    """The pool of these devices. Inside another pool of the same devices that one is shared, so
    that the evaluations of one night find their processes warm.
    """
    outer = _CURRENT.get()
    if outer is not None and outer.devices == devices:
        yield outer
        return
    pool = SlotPool(devices)
    token = _CURRENT.set(pool)
    try:
        yield pool
    finally:
        _CURRENT.reset(token)
        pool.close()
