"""Slots → a Prefect task runner, and work → groups that Prefect can carry."""

import math
from collections.abc import Sequence
from concurrent.futures import wait
from typing import Any, Literal, TypeVar, cast
from uuid import UUID

from prefect.futures import PrefectConcurrentFuture, PrefectFuture
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from prefect.utilities.annotations import quote

from shards.errors import InputError, NightmarkError
from tasks.deadline import seconds_left, too_late

T = TypeVar("T")
MOST_MESSAGES = 5
MAX_TASKS = 240
"""Prefect's server records about twenty task runs a second, and its UI shows a few hundred. A flow
that computes damaged files again cuts its work a second time and stays below 500."""

TASK_SECONDS = 10.0
"""A task costs Prefect about 15 ms of the flow's process, and more of the server's."""


def threads(count: int) -> TaskRunner[Any]:
    """One thread per slot; the work itself runs in the slots' processes."""
    return ThreadPoolTaskRunner(max_workers=count)


def group_size(
    wanted: int | Literal["auto"], shards: int, shard_seconds: float, workers: int
) -> int:
    """Shards per task: ``wanted``; ``auto`` makes tasks of ten seconds or more.

    But none where other workers would stand idle. ``shard_seconds`` is assumed, not measured, so
    that equal work is cut equally; it decides no number, only how work is shown and shared.
    """
    if wanted != "auto":
        return wanted
    enough = math.ceil(TASK_SECONDS / shard_seconds) if shard_seconds > 0 else shards
    return max(min(enough, -(-shards // workers)), 1)


def groups(items: Sequence[T], size: int) -> list[Sequence[T]]:
    """Neighbouring items in groups of ``size``, or larger where that would be too many tasks."""
    size = max(size, -(-len(items) // MAX_TASKS))
    return [items[start : start + size] for start in range(0, len(items), size)]


def whole(value: T) -> T:
    """An argument of a task as it is: Prefect looks for futures in every entry of others."""
    return cast("T", quote(value))


def gather(futures: Sequence[PrefectFuture[T]]) -> tuple[list[T], list[Exception]]:
    """Wait for all tasks: the results of those that succeeded, and what the others raised.

    Where a deadline comes first, tasks that have begun are waited for and the others never begin;
    a DeadlineError, the last of the errors, stands for all of these.

    Never pass such futures on to another task instead: with a failed one among them it would not
    run, and its flow would end green and empty.
    """
    results: list[T] = []
    errors: list[Exception] = []
    dropped = _dropped_at_the_deadline(futures)
    for future in futures:
        if future.task_run_id in dropped:
            continue
        try:
            future.wait()
            results.append(future.result())
        except Exception as error:  # a task may raise anything; the caller gets it as a value
            errors.append(error)
    if dropped:
        errors.append(too_late(f"{len(dropped)} of {len(futures)} tasks were not begun"))
    return results, errors


def _dropped_at_the_deadline(futures: Sequence[PrefectFuture[Any]]) -> set[UUID]:
    """Wait for all, or for the deadline; what has not begun by then is taken back."""
    left = seconds_left()
    if left is None:
        return set()
    submitted = {
        future.task_run_id: future.wrapped_future
        for future in futures
        if isinstance(future, PrefectConcurrentFuture)
    }
    wait(submitted.values(), timeout=left)
    return {run for run, future in submitted.items() if future.cancel()}


def combined(errors: Sequence[Exception]) -> Exception:
    """One error for several of the same kind; a foreign one comes first, as it is."""
    for error in errors:
        if not isinstance(error, NightmarkError):
            return error
    messages = [line for error in errors for line in str(error).splitlines()]
    # A model that cannot be used fails every group alike.
    shown = 1 if isinstance(errors[0], InputError) else MOST_MESSAGES
    more = [f"and {len(messages) - shown} more like it"] if len(messages) > shown else []
    return type(errors[0])("\n".join([*messages[:shown], *more]))
