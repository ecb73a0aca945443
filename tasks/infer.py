"""Verb: predict a group of shards, and store what was predicted."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from shards.errors import InputError, NightmarkError, ShardError
from shards.reader import Shard
from tasks.models.cost import NOTHING, Cost
from tasks.models.spec import Numerics, ResolvedModel
from tasks.predictions.store import PredictionStore
from tasks.progress import Advance, listener
from tasks.slots.pool import SlotPool
from tasks.slots.process import ShardJob


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

    A shard that cannot be read does not keep the others of the group from being predicted.

    Raises:
        ModelError: the model cannot be used at all; the group ends there.
        ShardError: some shards could not be predicted; the message names each.
    """
    started = time.perf_counter()
    faults: list[str] = []
    images = 0
    cost = NOTHING
    with pool.borrow() as slot:
        borrowed = time.perf_counter()
        # Another run may have predicted some while this one waited for the slot.
        missing = run.predictions.missing(shards)
        for shard, following in zip(missing, (*missing[1:], None), strict=False):
            try:
                found = slot.predict(run.job(shard, following))
            except InputError:
                raise
            except NightmarkError as error:
                faults.append(str(error))
                continue
            for sentence in found.news:
                get_run_logger().warning(sentence)
            writing = time.perf_counter()
            run.predictions.write(shard, found.predictions, found.scores)
            cost += found.cost + Cost(write=time.perf_counter() - writing)
            images += found.predictions.num_rows
            work = f"infer {run.label}"
            listener().advance(Advance(work, shards=1, images=found.predictions.num_rows))
        cost += Cost(task=time.perf_counter() - borrowed)
    seconds = time.perf_counter() - started
    get_run_logger().info(
        "%s: %d shards, %d images, %.0f images/s on %s",
        run.label,
        len(shards) - len(faults),
        images,
        images / seconds,
        slot.device,
    )
    if faults:
        raise ShardError("\n".join(faults))
    return Inferred(len(shards), images, seconds, cost)
