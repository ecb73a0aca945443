"""Verb: predict a group of shards, and store what was predicted."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from shards.errors import InputError, NightmarkError, ShardError
from shards.reader import Shard
from tasks.deadline import is_over, too_late
from tasks.models.cost import NOTHING, Cost
from tasks.models.engine import ShardPredictions
from tasks.models.spec import Numerics, ResolvedModel
from tasks.predictions.store import PredictionStore
from tasks.progress import Advance, listener
from tasks.slots.pool import GivenUpError, NoSlotError, Slot, SlotPool
from tasks.slots.process import ShardJob

PATIENCE_SECONDS = 5.0
"""So long a process may take to start before anybody asks why."""


@dataclass(frozen=True)
class InferenceRun:
    """A model on a split under given numerics: all that its tasks share."""

    model: ResolvedModel
    numerics: Numerics
    predictions: PredictionStore
    classes: int
    batch_size: int

    @property
    def label(self) -> str:
        return str(self.predictions.pair)

    def job(self, shard: Shard, following: Shard | None) -> ShardJob:
        return ShardJob(shard, self.model, self.numerics, self.classes, self.batch_size, following)


@dataclass(frozen=True, slots=True)
class Inferred:
    """What a group cost."""

    shards: int
    images: int
    seconds: float
    cost: Cost = NOTHING


@task(name="infer", cache_policy=NO_CACHE)
def infer(shards: Sequence[Shard], run: InferenceRun, pool: SlotPool) -> Inferred:
    """Predict these shards on one slot and publish each as it is done.

    A shard that cannot be read does not keep the others of the group from being predicted. One
    that a slot gives up is tried on another.

    Raises:
        DeadlineError: it came before the device was free.
        ModelError: the model cannot be used at all; the group ends there.
        ShardError: some shards could not be predicted; the message names each.
    """
    group = _Group(run, last_try=len(pool.devices) == 1)
    left, slot = list(shards), None
    try:
        while left:
            with pool.borrow(avoid=slot) as slot:
                left = group.predict(left, slot)
    except NoSlotError as error:
        group.faults.append(f"{len(left)} shards from {left[0].entry.url} on: {error}")
    seconds = time.perf_counter() - group.started
    # Not info: there may be hundreds of groups, and the flow tells how the pair goes.
    get_run_logger().debug(
        "%s: %d shards, %d images, %.0f images/s on %s",
        run.label,
        len(shards) - len(group.faults),
        group.images,
        group.images / seconds,
        None if slot is None else slot.device,
    )
    if group.faults:
        raise ShardError("\n".join(group.faults))
    return Inferred(len(shards), group.images, seconds, group.cost)


def _had_to_wait(slot: Slot) -> bool:
    """Wait until the slot has its device, which another run may be using.

    Raises:
        DeadlineError: the deadline came before that.
    """
    if slot.is_ready(within=0):
        return False
    if not slot.is_ready(within=PATIENCE_SECONDS):
        get_run_logger().info("waiting for %s: it starts, or another run is using it", slot.device)
    while not slot.is_ready(within=PATIENCE_SECONDS):
        if is_over():
            raise too_late(f"{slot.device} was in use by another run")
    return True


class _Group:
    """The shards of a task on their way, and what became of them."""

    def __init__(self, run: InferenceRun, *, last_try: bool) -> None:
        self.started = time.perf_counter()
        self.images = 0
        self.cost = NOTHING
        self.faults: list[str] = []
        self._run = run
        self._last_try = last_try
        """Whether a shard that a slot gives up is a fault, and not left to another."""

    def predict(self, shards: Sequence[Shard], slot: Slot) -> list[Shard]:
        """Predict and publish on this slot; returns what is left for another one."""
        borrowed = time.perf_counter()
        # Another run may have predicted some while this one waited for the slot,
        missing = self._run.predictions.missing(shards)
        if missing and _had_to_wait(slot):
            # or for its device.
            missing = self._run.predictions.missing(missing)
        if len(missing) < len(shards):
            there, work = len(shards) - len(missing), f"infer {self._run.label}"
            listener().advance(Advance(work, shards=there, images=0, elsewhere=True))
        left: list[Shard] = []
        for place, shard in enumerate(missing):
            if slot.is_lost:
                left += missing[place:]
                break
            following = missing[place + 1] if place + 1 < len(missing) else None
            try:
                found = slot.predict(self._run.job(shard, following))
            except InputError:
                raise
            except GivenUpError as error:
                if self._last_try:
                    self.faults.append(str(error))
                else:
                    get_run_logger().warning("%s; it is tried on another slot", error)
                    left.append(shard)
            except NightmarkError as error:
                self.faults.append(str(error))
            else:
                self._keep(shard, found)
        self._last_try = self._last_try or bool(left)
        self.cost += Cost(task=time.perf_counter() - borrowed)
        return left

    def _keep(self, shard: Shard, found: ShardPredictions) -> None:
        for sentence in found.news:
            get_run_logger().warning(sentence)
        started = time.perf_counter()
        self._run.predictions.write(shard, found.predictions, found.scores)
        self.cost += found.cost + Cost(write=time.perf_counter() - started)
        self.images += found.predictions.num_rows
        work = f"infer {self._run.label}"
        listener().advance(Advance(work, shards=1, images=found.predictions.num_rows))
