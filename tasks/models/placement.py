"""What differs between devices: how a batch gets onto one, and how what was ranked comes back."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from tasks.predictions.ranking import Ranked

GPU_BATCHES = 2
"""Batches on the device at once: one computes while the next is copied."""
Work = Callable[[Tensor, Tensor], Ranked]
"""Images and targets where the network is → what is kept of its scores, there."""


class Placement(Protocol):
    """A device as the lanes see it; several lanes call it at the same time."""

    @property
    def device(self) -> torch.device: ...

    def lane(self) -> AbstractContextManager[object]:
        """Around all that a lane does with a batch."""

    def run(self, batch: Tensor, targets: Tensor, work: Work) -> Ranked:
        """uint8 batch and int64 targets → NumPy arrays in memory; waits for them."""


@dataclass(frozen=True)
class CpuPlacement:
    """Everything is where it is needed."""

    device: torch.device

    def lane(self) -> AbstractContextManager[object]:
        return nullcontext()

    def run(self, batch: Tensor, targets: Tensor, work: Work) -> Ranked:
        return work(batch, targets).mapped(Tensor.numpy)


@dataclass(frozen=True)
class CudaPlacement:
    """Each lane has a stream of its own, so that copies of one overlap with kernels of another.

    Images cross as uint8 from pinned memory, unless they were decoded on the device; what was
    ranked comes back into pinned memory, and the lane waits once per batch, for its own stream.
    """

    device: torch.device
    _room: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(GPU_BATCHES))
    _lane: threading.local = field(default_factory=threading.local)

    def lane(self) -> AbstractContextManager[object]:
        if not hasattr(self._lane, "stream"):
            self._lane.stream = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        return torch.cuda.stream(self._lane.stream)

    def run(self, batch: Tensor, targets: Tensor, work: Work) -> Ranked:
        with self._room:
            ranked = work(self._over(batch), self._over(targets))
            found = ranked.mapped(_back)
            torch.cuda.current_stream(self.device).synchronize()
        return found.mapped(Tensor.numpy)

    def _over(self, values: Tensor) -> Tensor:
        if values.device.type == "cuda":
            return values
        return values.pin_memory().to(self.device, non_blocking=True)


def _back(values: Tensor) -> Tensor:
    found = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
    return found.copy_(values, non_blocking=True)


def placement_on(device: torch.device) -> Placement:
    """How to use this device."""
    return CudaPlacement(device) if device.type == "cuda" else CpuPlacement(device)
