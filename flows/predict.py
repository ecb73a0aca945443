"""Shards → predictions: what is missing, cut into tasks, on the slots."""

import time
from collections.abc import Sequence

from prefect import get_run_logger

from conf.runtime import RuntimePlan
from flows.moving import Moving
from flows.numerics import input_pixels
from flows.runners import gather, group_size, groups
from shards.errors import ShardError
from shards.reader import Shard, ShardedSplit
from tasks.deadline import DeadlineError, too_late
from tasks.import_predictions import import_predictions
from tasks.infer import InferenceRun, infer
from tasks.models.batching import setup_words
from tasks.models.cost import NOTHING, Cost
from tasks.night import Work
from tasks.progress import Outline, listener, listening
from tasks.slots.devices import Device
from tasks.slots.pool import slot_pool

CPU_PIXELS, CUDA_PIXELS = 1.5e6, 1e8
"""Assumed per second and CPU thread, or CUDA device: on a CPU ResNet-20 on CIFAR-10 and
EfficientNet-Lite0 on ImageNet are alike in it. Only tasks are cut by it."""


def predict(
    split: ShardedSplit, run: InferenceRun, devices: tuple[Device, ...], runtime: RuntimePlan
) -> tuple[Work, list[Exception]]:
    """Predict, or import, the shards that have no predictions yet: what was done, and why not all.

    Raises:
        InputError: the file to import cannot be used.
    """
    shards = split.shards()
    missing = run.predictions.missing(shards)
    damaged = run.predictions.cut_short(missing)
    for shard in damaged:
        where = run.predictions.store.locate(run.predictions.path(shard))
        get_run_logger().warning("predictions %s are cut short and are computed again", where)
    outline = Outline(f"infer {run.label}", len(shards), len(shards) - len(missing))
    listener().begin(outline)
    started = time.perf_counter()
    errors: list[Exception] = []
    cost, computed, images = NOTHING, 0, 0
    if run.model.is_imported:
        # Also where nothing is missing: the targets that came with the scores are compared.
        made = import_predictions(split, missing, run)
        computed, images = made.shards, made.images
    elif missing:
        pixels = input_pixels(run.model.preprocessing, split) / len(shards)
        seconds = pixels / _pixels_per_second(devices[0])
        size = group_size(runtime.shards_per_task, len(missing), seconds, len(devices))
        moving = Moving("inferring", run.predictions.pair, outline, listener())
        with listening(moving):
            cost, errors = _infer(groups(missing, size), run, devices)
        computed, images = moving.pace.computed, moving.pace.images
    left = run.predictions.missing(missing)
    late = [error for error in errors if isinstance(error, DeadlineError)]
    errors = [error for error in errors if error not in late]
    if late and left:
        there = f"{len(shards) - len(left)} of {len(shards)} shards are predicted"
        errors.append(too_late(there))
    work = Work(
        computed=computed,
        reused=len(shards) - len(left) - computed,
        damaged=len(damaged),
        images=images,
        seconds=time.perf_counter() - started,
        slots=len(devices),
        cost=cost,
        setup=setup_words(run.numerics, run.batch_size, len(devices), devices[0].threads),
    )
    return work, errors


def discard_damaged(split: ShardedSplit, run: InferenceRun, error: ShardError) -> int:
    """Remove all predictions of the split that cannot be read, so that they are computed again.

    How many there were; raises ``error``, which led here, if there is none.
    """
    damaged = run.predictions.unreadable(split.shards())
    if not damaged:
        raise error
    get_run_logger().warning("%s; this is done now, for %d shards", error, len(damaged))
    for shard in damaged:
        run.predictions.discard(shard)
    return len(damaged)


def _infer(
    cut: list[Sequence[Shard]], run: InferenceRun, devices: tuple[Device, ...]
) -> tuple[Cost, list[Exception]]:
    with slot_pool(devices) as pool:
        futures = [
            infer.with_options(task_run_name=f"infer {run.label} from {group[0].entry.url}").submit(
                group, run, pool
            )
            for group in cut
        ]
        done, errors = gather(futures)
    return sum((group.cost for group in done), NOTHING), errors


def _pixels_per_second(device: Device) -> float:
    return CPU_PIXELS * device.threads if device.kind == "cpu" else CUDA_PIXELS
