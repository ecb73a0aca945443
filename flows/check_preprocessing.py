"""Some images of a split → every variant of a model's preprocessing → which one is proven best."""

import numpy as np
import pyarrow as pa
from prefect import flow

from conf.plan import Plan
from flows.build_shards import shards_of
from flows.numerics import decoder_for
from flows.returned import kept
from flows.runners import combined as combined_errors
from flows.runners import gather
from flows.weights import weights_of
from shards.errors import InputError, ModelError
from shards.reader import Shard, ShardedSplit
from shards.store import Store
from tasks.layout import PairName
from tasks.models.batching import batch_size_for
from tasks.models.labels import bind
from tasks.models.load import resolve
from tasks.models.spec import Numerics
from tasks.parity.parity import Parity, Trial, helpful, judge
from tasks.parity.variants import Variant, combined, configured, single_changes
from tasks.progress import Outline, listener
from tasks.slots.devices import find_devices
from tasks.slots.pool import SlotPool, slot_pool
from tasks.try_variant import VariantRun, try_variant


@flow(name="check-preprocessing", flow_run_name="check {model} on {dataset}")
def check_preprocessing(plan: Plan, dataset: str, model: str, images: int) -> Parity:
    """Try the variants of a model's preprocessing on so many labelled images of a dataset.

    The images are spread evenly over the split. Single changes are tried first, then those that
    helped together.

    Raises:
        InputError: the model is imported, cannot be used as configured, or no image has a label.
    """
    store = Store.at(plan.runtime.root)
    devices = find_devices(plan.runtime.devices)
    resolved = resolve(plan.model(model), weights_of(plan, model))
    if resolved.is_imported:
        raise InputError(f"model {model} is imported: its images were fed to it elsewhere")
    pair = PairName(plan.dataset(dataset).split_name, model)
    split = ShardedSplit.open(store, shards_of(plan.dataset(dataset), plan.runtime))
    shards = chosen(split, images)
    run = VariantRun(
        work=f"check {pair}",
        model=bind(resolved, split.manifest.classes),
        numerics=Numerics(
            precision=plan.runtime.precision,
            decoder=decoder_for(plan.runtime, devices[0]),
            device_type=devices[0].kind,
        ),
        classes=len(split.manifest.classes),
        batch_size=batch_size_for(
            plan.runtime.batch_size,
            devices[0].kind,
            max(shard.rows.num_rows for shard in shards),
        ),
    )
    base = configured(resolved.preprocessing, plan.runtime.decoder)
    singles = single_changes(base)
    with slot_pool(devices) as pool:
        listener().begin(Outline(run.work, len(singles) + 1, 0))
        (first,) = _tried([base], shards, run, pool)
        if first.fault is not None:
            raise ModelError(first.fault)
        trials = _tried(singles, shards, run, pool)
        helped = helpful(first, trials)
        together = None
        if len(helped) > 1:
            (together,) = _tried([combined(base, helped)], shards, run, pool)
    return kept(judge(first, trials, together))


def chosen(split: ShardedSplit, images: int) -> list[Shard]:
    """The shards of a split, of each only its share of so many labelled images, evenly spread.

    Raises:
        InputError: no image has a label.
    """
    labelled = np.flatnonzero(split.samples["target"].is_valid().to_numpy())
    if not len(labelled):
        raise InputError(f"{split.folder}: no image has a label, so no variant can be right")
    count = min(images, len(labelled))
    picked = labelled[np.linspace(0, len(labelled) - 1, count).round().astype(np.int64)]
    found: list[Shard] = []
    start = 0
    for shard in split.shards():
        stop = start + shard.rows.num_rows
        inside = picked[(picked >= start) & (picked < stop)] - start
        if len(inside):
            rows = shard.rows.take(pa.array(inside))
            found.append(Shard(shard.store, shard.folder, shard.entry, rows))
        start = stop
    return found


def _tried(
    variants: list[Variant], shards: list[Shard], run: VariantRun, pool: SlotPool
) -> list[Trial]:
    futures = [try_variant.submit(shards, variant, run, pool) for variant in variants]
    trials, errors = gather(futures)
    if errors:
        raise combined_errors(errors)
    return trials
