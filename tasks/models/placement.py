"""What differs between devices: how a batch gets onto one, and how its scores come back."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

GPU_BATCHES = 2
"""Batches on the device at once: one computes while the next is copied."""
Network = Callable[[Tensor], Tensor]


class Placement(Protocol):
    """A device as the lanes see it; several lanes call it at the same time."""

    @property
    def device(self) -> torch.device: ...

    def run(self, batch: Tensor, network: Network) -> Tensor:
        """uint8 batch in memory → the network's scores in memory, float32; waits for them."""


@dataclass(frozen=True)
class CpuPlacement:
    """Everything is where it is needed."""

    device: torch.device

    def run(self, batch: Tensor, network: Network) -> Tensor:
        return network(batch).float()


@dataclass(frozen=True)
class CudaPlacement:
    """Each lane has a stream of its own, so that copies of one overlap with kernels of another.

    Images cross as uint8 from pinned memory, scores come back into pinned memory, and the lane
    waits once per batch, for its own stream.
    """

    device: torch.device
    _room: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(GPU_BATCHES))
    _lane: threading.local = field(default_factory=threading.local)

    def run(self, batch: Tensor, network: Network) -> Tensor:
        pinned = batch.pin_memory()
        stream = self._stream()
        with self._room, torch.cuda.stream(stream):
            images = pinned.to(self.device, non_blocking=True, memory_format=torch.channels_last)
            scores = network(images).float()
            found = torch.empty(scores.shape, dtype=scores.dtype, pin_memory=True)
            found.copy_(scores, non_blocking=True)
            stream.synchronize()
        return found

    def _stream(self) -> torch.cuda.Stream:
        if not hasattr(self._lane, "stream"):
            self._lane.stream = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        stream: torch.cuda.Stream = self._lane.stream
        return stream


def placement_on(device: torch.device) -> Placement:
    """How to use this device."""
    return CudaPlacement(device) if device.type == "cuda" else CpuPlacement(device)
