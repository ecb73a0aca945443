"""Our side: the engine in the process of its slot, from shards to published Parquet."""

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

from cases import PAIR, Case
from rounds import Contestant, Lap

from shards.reader import Shard
from shards.store import Store
from tasks.infer import InferenceRun
from tasks.models.spec import Numerics, run_name
from tasks.predictions.store import PredictionStore
from tasks.slots.devices import Device
from tasks.slots.pool import Slot, SlotPool


def inference_run(chosen: Case, root: Path, *, compiled: bool) -> InferenceRun:
    numerics = Numerics(precision="float32", decoder="pil", device_type="cpu", compile=compiled)
    name = run_name(chosen.model, numerics)
    predictions = PredictionStore(Store.at(root), PAIR, name, keep_scores=True)
    return InferenceRun(chosen.model, numerics, predictions, chosen.classes, chosen.batch)


def predict(shards: Sequence[Shard], run: InferenceRun, slot: Slot) -> int:
    """What the verb ``infer`` does on a slot, without Prefect."""
    rows = 0
    for shard, following in zip_longest(shards, shards[1:]):
        found = slot.predict(run.job(shard, following))
        run.predictions.write(shard, found.predictions, found.scores)
        rows += found.predictions.num_rows
    return rows


def warm(chosen: Case, run: InferenceRun, pool: SlotPool) -> Contestant:
    """In a process that stays and keeps its models."""

    def lap() -> Lap:
        with pool.borrow() as slot:
            return Lap(predict(chosen.shards, run, slot))

    return lap


def started_anew(chosen: Case, run: InferenceRun, device: Device) -> Contestant:
    """The process, the network and its program too, from the kept programs."""

    def lap() -> Lap:
        pool = SlotPool((device,))
        try:
            return warm(chosen, run, pool)()
        finally:
            pool.close()

    return lap
