"""What runs inside a slot's process: the device's lock, its loaded models, one shard at a time."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
import traceback
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from typing import IO

from shards.errors import InputError, NightmarkError
from shards.reader import Shard
from tasks.models.compiled import keep_programs
from tasks.models.engine import Engine, ShardPredictions
from tasks.models.lanes import Lanes, Stream
from tasks.models.spec import Numerics, ResolvedModel, run_name
from tasks.slots.devices import Device
from tasks.slots.faults import is_poisoned
from tasks.slots.locks import lock
from tasks.slots.memory import keep_freed_memory

KEPT_MODELS = 4
TERMINATED = 128 + signal.SIGTERM


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


@dataclass(frozen=True)
class Answer:
    """To a job: its predictions, or what it raised, or why this process must not go on."""

    predictions: ShardPredictions | None = None
    error: NightmarkError | RuntimeError | None = None
    retired: str | None = None

    def found(self) -> ShardPredictions:
        """The predictions. Raises what the job raised."""
        if self.predictions is None:
            raise self.error or RuntimeError("an empty answer")
        return self.predictions


class _LeavingError(BaseException):
    """This process was told to end, at a moment when it may."""


@dataclass
class _Slot:
    """The state of this process: it lives as long as the process does."""

    device: Device
    locks: tuple[IO[bytes], ...] = ()
    engines: OrderedDict[tuple[str, int], Engine] = field(default_factory=OrderedDict)
    begun: dict[tuple[str, str, str, int, int], Stream[ShardPredictions]] = field(
        default_factory=dict
    )
    """Work on shards that were announced to follow, until they are asked for."""
    lanes: Lanes = field(init=False)
    leaving: bool = False
    """SIGTERM has come."""
    may_leave: bool = False
    """Nothing is being sent or received, so that leaving tears no message."""

    def __post_init__(self) -> None:
        self.lanes = Lanes(self.device.threads)

    def drop_begun(self) -> None:
        for stream in self.begun.values():
            stream.cancel()
        self.begun.clear()


_SLOTS: list[_Slot] = []


def serve(device: Device, link: "Connection[Answer, ShardJob]") -> None:
    """Answer jobs until the other end closes, this process is told to end, or must not go on.

    An empty answer, to no job, comes first: this process has its device.

    SIGTERM lets the batches in hand finish; the exit code is 143 then.
    """
    slot = _start(device)
    try:
        link.send(Answer())
        while _wait_for(link, slot):
            answer = _answer(link.recv(), slot)
            link.send(answer)
            if answer.retired is not None:
                break
    except _LeavingError:
        pass
    except (EOFError, OSError):
        return  # the flow is gone, and this process with it
    if slot.leaving:
        sys.exit(TERMINATED)


def _start(device: Device) -> _Slot:
    """Take the device for this process: wait for its lock, bind threads and CUDA to it."""
    # Ctrl-C is for the flow's process, which ends this one; here it would look like a crash.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if device.kind == "cuda":
        os.environ["CUDA_VISIBLE_DEVICES"] = _visible_name(device.number)
    import torch  # noqa: PLC0415 (CUDA_VISIBLE_DEVICES must be set before)

    keep_freed_memory()
    keep_programs()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(device.threads)
    slot = _Slot(device, lock(device))
    _SLOTS.append(slot)

    def leave(*_: object) -> None:
        slot.leaving = True
        if slot.may_leave:
            raise _LeavingError

    signal.signal(signal.SIGTERM, leave)
    return slot


@contextmanager
def _where_it_may_leave(slot: _Slot) -> Iterator[None]:
    slot.may_leave = True
    try:
        if slot.leaving:
            raise _LeavingError
        yield
    finally:
        slot.may_leave = False


def _wait_for(link: "Connection[Answer, ShardJob]", slot: _Slot) -> bool:
    with _where_it_may_leave(slot):
        return link.poll(None)


def _answer(job: ShardJob, slot: _Slot) -> Answer:
    try:
        with _where_it_may_leave(slot):
            return Answer(predict(job))
    except _LeavingError:
        slot.drop_begun()
        slot.lanes.close()
        return Answer(retired="it was told to end (SIGTERM)")
    except Exception as error:
        if is_poisoned(error):
            return Answer(retired=f"the device is in a state that only a new process ends: {error}")
        if isinstance(error, NightmarkError):
            return Answer(error=error)
        # Foreign exceptions may not survive the way to the other process.
        told = "".join(traceback.format_exception(error))
        return Answer(error=RuntimeError(f"in the engine process on {slot.device}:\n{told}"))


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
