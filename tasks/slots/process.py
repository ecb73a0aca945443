"""What runs inside a slot's process: the device's lock, its loaded models, one shard at a time."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import tempfile
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from shards.reader import Shard
from tasks.models.engine import Engine, ShardPredictions
from tasks.models.spec import Numerics, ResolvedModel, run_name
from tasks.slots.devices import Device

KEPT_MODELS = 4
PATIENCE_SECONDS = 5.0


@dataclass(frozen=True)
class ShardJob:
    """Predict one shard with one model."""

    shard: Shard
    model: ResolvedModel
    numerics: Numerics
    classes: int
    batch_size: int


@dataclass
class _Slot:
    """The state of this process: it lives as long as the process does."""

    device: Device
    lock: FileLock
    engines: OrderedDict[tuple[str, int], Engine] = field(default_factory=OrderedDict)


_SLOTS: list[_Slot] = []


def start(device: Device) -> None:
    """Take the device for this process: wait for its lock, bind threads and CUDA to it."""
    # Ctrl-C is for the flow's process, which ends this one; here it would look like a crash.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if device.kind == "cuda":
        os.environ["CUDA_VISIBLE_DEVICES"] = _visible_name(device.number)
    import torch  # noqa: PLC0415 (CUDA_VISIBLE_DEVICES must be set before)

    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(device.threads)
    _SLOTS.append(_Slot(device, _locked(device)))


def predict(job: ShardJob) -> ShardPredictions:
    """The predictions of one shard. Raises ModelError and ShardError."""
    job.shard.check_size()
    (slot,) = _SLOTS
    engine = _engine(slot, job)
    return engine.predict(
        job.shard.read(), job.classes, job.batch_size, decode_threads=slot.device.threads
    )


def lock_file(device: Device) -> Path:
    """The lock that guards a device against other processes of this user."""
    folder = Path(tempfile.gettempdir()) / f"nightmark-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / f"{device.kind}-{device.number}.lock"


def _locked(device: Device) -> FileLock:
    lock = FileLock(lock_file(device))
    try:
        lock.acquire(timeout=PATIENCE_SECONDS)
    except Timeout:
        sys.stderr.write(f"waiting for {device}: another nightmark process is using it\n")
        lock.acquire()
    return lock


def _end_with_parent() -> None:
    """End this process when the flow's process is gone: a killed flow must not hold a device."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def _engine(slot: _Slot, job: ShardJob) -> Engine:
    # Loading holds the outputs of a model against the classes of the dataset that it is for.
    identity = (run_name(job.model, job.numerics), job.classes)
    if identity not in slot.engines:
        while len(slot.engines) >= KEPT_MODELS:
            slot.engines.popitem(last=False)
        slot.engines[identity] = Engine.load(job.model, job.numerics, slot.device.torch_name)
    slot.engines.move_to_end(identity)
    return slot.engines[identity]


def _visible_name(number: int) -> str:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return visible.split(",")[number] if visible else str(number)
