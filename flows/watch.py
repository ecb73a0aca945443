"""Model updates: looked for on a schedule, and told as events that start a reprocessing."""

from collections.abc import Sequence
from pathlib import Path

from prefect import flow, get_run_logger, runtime
from prefect.client.schemas.objects import State
from prefect.events import emit_event
from prefect.states import Completed

from conf.loading import load_with_models
from conf.plan import Plan
from flows.returned import kept
from flows.states import fault_state
from shards.errors import InputError, NightmarkError
from shards.store import Store
from tasks.metrics.words import counted
from tasks.models.load import resolve
from tasks.updates.forecast import last_times
from tasks.updates.update import EVENT, Update, update_of
from tasks.updates.watching import Look, look_at, remember

SETTLE_SECONDS = 5.0


def _run_name() -> str:
    parameters: dict[str, object] = runtime.flow_run.parameters
    return f"watch the models of {Path(str(parameters['plan'])).stem}"


@flow(name="watch-models", flow_run_name=_run_name)
def watch_models(
    plan: Path, overrides: Sequence[str] = (), settle_seconds: float = SETTLE_SECONDS
) -> State[tuple[Update, ...]]:
    """Look whether the plan's models are what they were when they were evaluated.

    Each that is not is told once, as the event ``nightmark.model.updated``. What a night found with
    other ``overrides`` of models or datasets says nothing of the plan, and does not count. Files
    are digested only if size or time say that they were written, and once they have stood still for
    ``settle_seconds``.

    The state carries the updates. It is Failed, named Unusable, where a model cannot be looked at;
    the others are told all the same.
    """
    try:
        work = load_with_models(plan, overrides)
        looks, updates, told_before = _look(work, plan.resolve(), overrides, settle_seconds)
    except NightmarkError as error:
        return fault_state(error)
    faults = [look.sentence for look in looks if look.state == "unusable"]
    if faults:
        return fault_state(InputError("; ".join(faults)))
    waiting = sum(look.state == "unsettled" for look in looks)
    later = f", {waiting} still being written" if waiting else ""
    told = [update.sentence for update in updates]
    told += [f"{update.sentence}: told before, and not evaluated yet" for update in told_before]
    said = "; ".join(told) or "none changed"
    message = f"{counted(len(looks), 'model')} looked at{later}: {said}."
    return Completed(message=message, data=kept(updates))


def _look(
    plan: Plan, file: Path, overrides: Sequence[str], settle_seconds: float
) -> tuple[tuple[Look, ...], tuple[Update, ...], tuple[Update, ...]]:
    """All looks, the updates that were told of now, and those that an earlier look told of."""
    store = Store.at(plan.runtime.root)
    last = last_times(store, tuple(plan.pairs()), overrides)
    looks, updates, told_before = [], [], []
    for model in plan.models:
        look = look_at(store, plan.name, model, resolve, settle_seconds)
        looks.append(look)
        if look.sentence:
            get_run_logger().warning("%s", look.sentence)
        if look.seen is None:
            continue
        pairs = [pair for pair in plan.pairs() if pair.model == model.name]
        update = update_of(model.name, look.seen.fingerprint, pairs, last)
        if update is None:
            # A version that was told of and taken back is an update again when it returns.
            announced = ""
        elif look.seen.announced == update.after:
            told_before.append(update)
            continue
        else:
            _tell(update, file)
            updates.append(update)
            announced = update.after
        # Afterwards: told twice costs a look at what is there, told never costs the update.
        if announced != look.seen.announced:
            told = look.seen.model_copy(update={"announced": announced})
            remember(store, plan.name, told)
    return tuple(looks), tuple(updates), tuple(told_before)


def _tell(update: Update, plan: Path) -> None:
    get_run_logger().info("%s", update.sentence)
    emit_event(
        event=EVENT,
        resource={"prefect.resource.id": update.resource, "prefect.resource.name": update.model},
        payload={
            "model": update.model,
            "datasets": list(update.datasets),
            "old_fingerprint": update.before,
            "new_fingerprint": update.after,
            "plan": str(plan),
        },
    )
