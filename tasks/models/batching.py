"""How many images go through a network at once, and what happens when they do not fit."""

import threading

import torch

from tasks.models.spec import Numerics

BATCH_SIZES = {"cpu": 32, "cuda": 256}
"""By device type. On CPU small batches stay in the caches: measured, 16 to 64 are alike."""

MOST_LANES = 8
"""Above it the interpreter's lock, and a batch in memory per lane, cost more than a lane brings."""


def batch_size_for(wanted: int | None, device_type: str, largest_shard: int) -> int:
    """Images per batch: ``wanted`` or the device's own at most, shared evenly over a shard.

    A batch never crosses a shard, so 1,000 images at 64 make 16 batches of 63 and not 15 and a
    rest: lanes end together, and a compiled network, which knows one size, has little to fill up.
    """
    most = BATCH_SIZES[device_type] if wanted is None else wanted
    batches = max(-(-largest_shard // most), 1)
    return max(-(-largest_shard // batches), 1)


def setup_words(numerics: Numerics, batch_size: int, devices: int, threads: int) -> str:
    """How an engine works, for people: device, lanes, batch, form of the network."""
    lanes, each = lanes_for(threads)
    on = f"{devices} x " if devices > 1 else ""
    wide = f" of {each} threads" if each > 1 else ""
    form = "compiled" if numerics.compile else "eager"
    return (
        f"{on}{numerics.device_type}, {lanes} lanes{wide}, batches of {batch_size}, "
        f"{numerics.precision}, {form}, decoded by {numerics.decoder}"
    )


def lanes_for(threads: int) -> tuple[int, int]:
    """How many lanes ``threads`` threads make, and how many of them each lane has."""
    count = max(min(threads, MOST_LANES), 1)
    return count, max(threads // count, 1)


class BatchLimit:
    """The largest batch that fits into memory, as far as is known. Shared by all lanes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._limit: int | None = None
        self._untold: list[str] = []

    def fit(self, wanted: int) -> int:
        """How many of ``wanted`` images to try."""
        with self._lock:
            return wanted if self._limit is None else min(wanted, self._limit)

    def halve(self, tried: int, name: str) -> None:
        """A batch of ``tried`` (2 or more) did not fit; half of it is the limit from now on."""
        with self._lock:
            if self._limit is not None and self._limit < tried:
                return
            self._limit = tried // 2
            self._untold.append(
                f"model {name}: out of memory at {tried} images; goes on with batches of "
                f"{self._limit}, nothing is lost (runtime.batch_size={self._limit} starts there)"
            )

    def news(self) -> tuple[str, ...]:
        """What has not been said yet, to be said now."""
        with self._lock:
            untold, self._untold = tuple(self._untold), []
        return untold


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the device or the machine had no memory for a batch."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
