"""Which devices there are, and which slots on them. Only this module asks the machine."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from shards.errors import InputError

DEVICE_PATTERN = re.compile(r"(?P<kind>cpu|cuda)(:(?P<number>\d+|all))?(\*(?P<slots>[1-9]\d*))?")


@dataclass(frozen=True, slots=True)
class Device:
    """One place where inference can run: a device, or one of several slots on it.

    Attributes:
        kind: as torch names the device type.
        number: which of its kind; for the CPU, which share of it.
        threads: CPU threads that the engine there may use.
        share: which of several slots on one CUDA device; none where it has the device alone.
    """

    kind: Literal["cpu", "cuda"]
    number: int
    threads: int
    share: int | None = None

    def __str__(self) -> str:
        share = "" if self.share is None else f".{self.share}"
        return f"{self.kind}:{self.number}{share}"

    @property
    def torch_name(self) -> str:
        """A CUDA engine sees only its own device, hence always number 0."""
        return "cpu" if self.kind == "cpu" else "cuda:0"


def find_devices(wanted: tuple[str, ...]) -> tuple[Device, ...]:
    """The slots for a plan's list: ``auto``, or names such as ``cuda:0``, ``cuda:all``, ``cpu:1``.

    ``auto`` is every CUDA device, or one CPU slot with all cores. ``*2`` behind a name is two
    slots: ``cuda:0*2`` and ``cuda:all*2`` on each device, ``cpu*2`` on half of the cores each.
    Cores are shared evenly among all slots.

    Raises:
        InputError: a name that is none, or a CUDA device that this machine has not.
    """
    cuda = _cuda_devices()
    cores = len(os.sched_getaffinity(0))
    names = wanted
    if wanted == ("auto",):
        names = ("cuda:all",) if cuda else ("cpu:0",)
    places = [place for name in names for place in _places(name, cuda)]
    if len({(kind, number, share) for kind, number, share in places}) != len(places):
        raise InputError(f"runtime.devices: {', '.join(names)} names a device twice")
    alone = {(kind, number) for kind, number, share in places if share is None}
    if any((kind, number) in alone for kind, number, share in places if share is not None):
        raise InputError(f"runtime.devices: {', '.join(names)} names a device twice")
    if len({kind for kind, _, _ in places}) > 1:
        raise InputError(
            "runtime.devices: CPU and CUDA cannot share one run, since their numbers may differ"
        )
    threads = max(cores // len(places), 1)
    return tuple(Device(kind, number, threads, share) for kind, number, share in places)


Place = tuple[Literal["cpu", "cuda"], int, int | None]


def _places(name: str, cuda: int) -> Iterator[Place]:
    """Kind, number and share of each slot that a name stands for."""
    matched = DEVICE_PATTERN.fullmatch(name)
    number = None if matched is None else matched["number"]
    slots = 1 if matched is None else int(matched["slots"] or 1)
    if matched is None or (
        matched["kind"] == "cpu" and (number == "all" or (number and slots > 1))
    ):
        raise InputError(
            f"runtime.devices: {name!r} is no device; write auto, cpu:0 or cuda:0, cuda:all for "
            f"every CUDA device, or cpu*2, cuda:0*2, cuda:all*2 for two slots each"
        )
    if matched["kind"] == "cpu":
        yield from (("cpu", int(number or 0) + slot, None) for slot in range(slots))
        return
    numbers = range(cuda) if number == "all" else [int(number or 0)]
    if not numbers or max(numbers) >= cuda:
        raise InputError(f"runtime.devices: {name} is not on this machine ({cuda} CUDA devices)")
    for each in numbers:
        yield from (("cuda", each, share if slots > 1 else None) for share in range(slots))


def _cuda_devices() -> int:
    import torch  # noqa: PLC0415 (a second of import, paid only where inference is near)

    return torch.cuda.device_count() if torch.cuda.is_available() else 0
