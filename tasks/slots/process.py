"""What runs inside a slot's process: the device's lock, its loaded models, one shard at a time."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import tempfile
import threading
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from pathlib import Path

from filelock import FileLock, Timeout

from shards.errors import InputError
from shards.reader import Shard
from tasks.models.compiled import keep_programs
from tasks.models.engine import Engine, ShardPredictions
from tasks.models.lanes import Lanes, Stream
from tasks.models.spec import Numerics, ResolvedModel, run_name
from tasks.slots.devices import Device

KEPT_MODELS = 4
PATIENCE_SECONDS = 5.0


@dataclass(frozen=True)
class ShardJob:
    """Predict one shard with one model; ``following`` is the shard that will be asked for next."""

    shard: Shard
    model: ResolvedModel
    numerics: Numerics
    classes: int
    batch_size: int
    following: Shard | None = None

    @property
    def identity(self) -> tuple[str, str, str, int, int]:
        """Equal jobs have equal predictions, in equal batches."""
        run = run_name(self.model, self.numerics)
        shard = f"{self.shard.entry.sha256} {self.shard.rows.num_rows}"  # or some rows of it
        return (self.shard.path, shard, run, self.classes, self.batch_size)


@dataclass
class _Slot:
    """The state of this process: it lives as long as the process does."""

    device: Device
    lock: FileLock
    engines: OrderedDict[tuple[str, int], Engine] = field(default_factory=OrderedDict)
    begun: dict[tuple[str, str, str, int, int], Stream[ShardPredictions]] = field(
        default_factory=dict
    )
    """Work on shards that were announced to follow, until they are asked for."""
    lanes: Lanes = field(init=False)

    def __post_init__(self) -> None:
        self.lanes = Lanes(self.device.threads)

    def drop_begun(self) -> None:
        for stream in self.begun.values():
            stream.cancel()
        self.begun.clear()


_SLOTS: list[_Slot] = []


def start(device: Device) -> None:
    """Take the device for this process: wait for its lock, bind threads and CUDA to it."""
    # Ctrl-C is for the flow's process, which ends this one; here it would look like a crash.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if device.kind == "cuda":
        os.environ["CUDA_VISIBLE_DEVICES"] = _visible_name(device.number)
    import torch  # noqa: PLC0415 (CUDA_VISIBLE_DEVICES must be set before)

    keep_programs()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(device.threads)
    _SLOTS.append(_Slot(device, _locked(device)))


def predict(job: ShardJob) -> ShardPredictions:
    """The predictions of one shard. Raises ModelError and ShardError."""
    (slot,) = _SLOTS
    try:
        job.shard.check_size()
        engine = _engine(slot, job)
        stream = slot.begun.pop(job.identity, None) or _begin(slot, engine, job)
        # What was announced and did not come is not wanted any more.
        slot.drop_begun()
        if job.following is not None:
            ahead = replace(job, shard=job.following, following=None)
            slot.begun[ahead.identity] = _begin(slot, engine, ahead, after=stream)
        return engine.collect(stream)
    except InputError:
        slot.drop_begun()
        raise


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


def _begin(
    slot: _Slot, engine: Engine, job: ShardJob, after: Stream[ShardPredictions] | None = None
) -> Stream[ShardPredictions]:
    return engine.begin(job.shard.read(), job.classes, job.batch_size, slot.lanes, after)


def _visible_name(number: int) -> str:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return visible.split(",")[number] if visible else str(number)
