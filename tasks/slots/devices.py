"""Which devices there are. Only this module asks the machine."""

import os
import re
from dataclasses import dataclass
from typing import Literal

from shards.errors import InputError

DEVICE_PATTERN = re.compile(r"(cpu|cuda)(?::(\d+))?")


@dataclass(frozen=True, slots=True)
class Device:
    """One place where inference can run.

    Attributes:
        kind: as torch names the device type.
        number: which of its kind; for the CPU, which share of it.
        threads: CPU threads that the engine there may use.
    """

    kind: Literal["cpu", "cuda"]
    number: int
    threads: int

    def __str__(self) -> str:
        return f"{self.kind}:{self.number}"

    @property
    def torch_name(self) -> str:
        """A CUDA engine sees only its own device, hence always number 0."""
        return "cpu" if self.kind == "cpu" else "cuda:0"


def find_devices(wanted: tuple[str, ...]) -> tuple[Device, ...]:
    """The devices for a plan's list: ``auto``, or names such as ``cuda:0``, ``cpu:0``, ``cpu:1``.

    ``auto`` is every CUDA device, or one CPU device with all cores. Cores are shared evenly.

    Raises:
        InputError: a name that is none, or a CUDA device that this machine has not.
    """
    cuda = _cuda_devices()
    cores = len(os.sched_getaffinity(0))
    names = wanted
    if wanted == ("auto",):
        names = tuple(f"cuda:{number}" for number in range(cuda)) or ("cpu:0",)
    threads = max(cores // len(names), 1)
    found: list[Device] = []
    for name in names:
        matched = DEVICE_PATTERN.fullmatch(name)
        if matched is None:
            raise InputError(f"runtime.devices: {name!r} is no device; write auto, cpu:0 or cuda:0")
        number = int(matched.group(2) or 0)
        if matched.group(1) == "cuda" and number >= cuda:
            raise InputError(
                f"runtime.devices: {name} is not on this machine ({cuda} CUDA devices)"
            )
        kind: Literal["cpu", "cuda"] = "cuda" if matched.group(1) == "cuda" else "cpu"
        found.append(Device(kind, number, threads))
    if len(set(found)) != len(found):
        raise InputError(f"runtime.devices: {', '.join(names)} names a device twice")
    if len({device.kind for device in found}) > 1:
        raise InputError(
            "runtime.devices: CPU and CUDA cannot share one run, since their numbers may differ"
        )
    return tuple(found)


def _cuda_devices() -> int:
    import torch  # noqa: PLC0415 (a second of import, paid only where inference is near)

    return torch.cuda.device_count() if torch.cuda.is_available() else 0
