"""Lanes: threads that take whole batches from encoded bytes to rows; streams of batches in order.

One lane per core does better than one batch on all cores: a lane never waits for another, neither
between the layers of a network nor while a neighbour decodes.
"""

import itertools
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from time import perf_counter
from typing import Generic, TypeVar

import torch

from shards.reader import StoredSample
from tasks.models.batching import lanes_for

READY_BATCHES = 2
"""Batches that are read and wait for a lane, so that none waits for the store."""
R = TypeVar("R")
Work = Callable[[list[StoredSample], float], R]
"""A batch and the seconds that reading it took → its result; runs in a lane."""


class Lanes:
    """Threads for batches, and the bound on how many batches are in hand. Close it."""

    def __init__(self, threads: int) -> None:
        self.count, self.threads_each = lanes_for(threads)
        self._executor = ThreadPoolExecutor(
            self.count,
            thread_name_prefix="lane",
            # OpenMP keeps the number per thread.
            initializer=torch.set_num_threads,
            initargs=(self.threads_each,),
        )
        self._room = threading.Semaphore(self.count + READY_BATCHES)

    def submit(self, work: Work[R], batch: list[StoredSample], seconds: float) -> Future[R]:
        """Wait for room, then queue the batch."""
        self._room.acquire()
        try:
            future = self._executor.submit(work, batch, seconds)
        except RuntimeError:
            self._room.release()
            raise
        future.add_done_callback(lambda _: self._room.release())
        return future

    def close(self) -> None:
        """Finish the batches in the lanes, drop those that wait."""
        self._executor.shutdown(wait=True, cancel_futures=True)


class Stream(Generic[R]):
    """The batches of one shard on their way through the lanes; ``results`` gives them in order.

    Reading begins at once, or when all batches of ``after`` are on their way: so the lanes run on
    from one shard into the next.
    """

    def __init__(
        self,
        samples: Iterable[StoredSample],
        batch_size: int,
        lanes: Lanes,
        work: Work[R],
        after: "Stream[R] | None" = None,
    ) -> None:
        self.lanes = lanes
        self.fed = threading.Event()
        """Set when all batches are on their way, or none will follow."""
        self._cancelled = threading.Event()
        self._queue: queue.SimpleQueue[Future[R] | BaseException | None] = queue.SimpleQueue()
        feeding = (samples, batch_size, work, None if after is None else after.fed)
        threading.Thread(target=self._feed, args=feeding, name="feeder", daemon=True).start()

    def results(self) -> Iterator[R]:
        """The results in the order of the batches, once.

        Raises:
            Exception: what reading or a lane raised, at its place; the rest is dropped then.
        """
        try:
            while (entry := self._queue.get()) is not None:
                if isinstance(entry, BaseException):
                    raise entry
                yield entry.result()
        finally:
            self.cancel()

    def cancel(self) -> None:
        """Read no further, drop what waits. Batches in the lanes run to their end."""
        self._cancelled.set()
        while not self._queue.empty():
            entry = self._queue.get()
            if isinstance(entry, Future):
                entry.cancel()

    def _feed(
        self,
        samples: Iterable[StoredSample],
        batch_size: int,
        work: Work[R],
        before: threading.Event | None,
    ) -> None:
        try:
            if before is not None:
                before.wait()
            for batch, seconds in _batches(samples, batch_size):
                if self._cancelled.is_set():
                    return
                self._queue.put(self.lanes.submit(work, batch, seconds))
        except BaseException as error:  # whoever waits for the results is told
            self._queue.put(error)
        finally:
            self.fed.set()
            self._queue.put(None)


def _batches(
    samples: Iterable[StoredSample], size: int
) -> Iterator[tuple[list[StoredSample], float]]:
    """Without any samples one empty batch, which gives tables without rows."""
    iterator = iter(samples)
    started = perf_counter()
    batch = list(itertools.islice(iterator, size))
    yield batch, perf_counter() - started
    while len(batch) == size:
        started = perf_counter()
        if batch := list(itertools.islice(iterator, size)):
            yield batch, perf_counter() - started
