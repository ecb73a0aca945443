"""Verb: run a variant of a model's preprocessing over some images of a split."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from prefect import task
from prefect.cache_policies import NO_CACHE

from shards.errors import ModelError
from shards.reader import Shard
from tasks.models.spec import Numerics, ResolvedModel
from tasks.parity.parity import Trial
from tasks.parity.variants import Variant
from tasks.progress import Advance, listener
from tasks.slots.pool import SlotPool
from tasks.slots.process import ShardJob


@dataclass(frozen=True)
class VariantRun:
    """What the variants of one check share."""

    work: str
    model: ResolvedModel
    numerics: Numerics
    classes: int
    batch_size: int

    def job(self, shard: Shard, variant: Variant) -> ShardJob:
        model = self.model.model_copy(update={"preprocessing": variant.preprocessing})
        numerics = self.numerics.model_copy(update={"decoder": variant.decoder})
        return ShardJob(shard, model, numerics, self.classes, self.batch_size)


@task(name="try-variant", task_run_name="try {variant}", cache_policy=NO_CACHE)
def try_variant(
    shards: Sequence[Shard], variant: Variant, run: VariantRun, pool: SlotPool
) -> Trial:
    """Which images the model has right when it is fed in this way; a failed image is wrong.

    A variant that the model refuses is a trial with a fault: the others go on.

    Raises:
        ShardError: the images cannot be read.
    """
    hits = [np.zeros(0, dtype=bool)]
    losses = [np.zeros(0)]
    with pool.borrow() as slot:
        for shard in shards:
            try:
                rows = slot.predict(run.job(shard, variant)).predictions
            except ModelError as error:
                return Trial(variant, np.zeros(0, dtype=bool), fault=str(error))
            # A null becomes NaN, which equals nothing.
            hits.append(rows["target_rank"].to_numpy() == 0)
            losses.append(rows["nll"].drop_null().to_numpy())
    known = np.concatenate(losses)
    loss = float(known.mean()) if len(known) else math.inf
    trial = Trial(variant, np.concatenate(hits), loss)
    listener().advance(Advance(run.work, shards=1, images=len(trial.hits)))
    return trial
