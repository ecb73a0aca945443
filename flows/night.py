"""The body of every flow that evaluates pairs of a plan and ends in one report over all of them."""

import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from prefect import get_run_logger, tags
from prefect.client.schemas.objects import State

from conf.plan import Plan
from flows.build_shards import shards_of
from flows.evaluate import evaluate, final_state, outcome_of
from flows.returned import taken
from flows.runners import threads
from shards.errors import NightmarkError
from shards.store import Store
from tasks.layout import PairName, SplitName, night_name
from tasks.night import Night, NightKind, Outcome, Provenance, worst
from tasks.promote import promote_passed, promote_what_was_left
from tasks.publish import publish_night
from tasks.records import Pair
from tasks.slots.devices import Device, find_devices
from tasks.slots.pool import slot_pool
from tasks.stored import read_scorings

NIGHT_ID_DIGITS = 6


def run_night(plan: Plan, pairs: Sequence[PairName], kind: NightKind = "night") -> State[Night]:
    """Evaluate and judge these pairs of the plan, in their order; publish, and promote.

    Called inside a flow, which returns the state: it carries the night, and is Failed (GateFailed,
    Incomplete, Unusable) or Completed (Passed, Inconclusive) after its worst pair. What cannot be
    done is an outcome of its pair; nothing expected is raised.
    """
    store = Store.at(plan.runtime.root)
    promote_what_was_left(store, plan.name)
    started = datetime.now(UTC)
    devices = find_devices(plan.runtime.devices)
    with slot_pool(devices):
        outcomes = tuple(_outcomes(plan, pairs, devices))
    state = worst([outcome.state for outcome in outcomes])
    night = Night(
        name=night_name(started, uuid.uuid4().hex[:NIGHT_ID_DIGITS]),
        kind=kind,
        plan=plan.name,
        plan_digest=plan.digest,
        started=started,
        finished=datetime.now(UTC),
        state=state,
        outcomes=outcomes,
        promotion=plan.promotion,
        provenance=Provenance.here(tuple(str(device) for device in devices)),
    )
    page = publish_night(store, night, read_scorings(store, outcomes))
    promote_passed(store, night)
    get_run_logger().info("%s: %s; report: %s", night.name, state, page)
    decisive = [f"{o.pair}: {o.message}" for o in outcomes if o.state == state]
    decisive = decisive or ["No model of the plan belongs to any of its datasets."]
    return final_state(state, f"{'; '.join(decisive[:3])} Report: {page}", night)


def _outcomes(
    plan: Plan, pairs: Sequence[PairName], devices: tuple[Device, ...]
) -> Iterator[Outcome]:
    """The outcomes of the pairs; the shards of a split are built once, before its first pair."""
    built: dict[SplitName, str | NightmarkError] = {}
    for pair in pairs:
        if pair.split not in built:
            built[pair.split] = _built(plan, pair.split)
        folder = built[pair.split]
        if isinstance(folder, NightmarkError):
            yield outcome_of(folder, pair)
        else:
            yield _outcome(plan, pair, folder, len(devices))


def _built(plan: Plan, split: SplitName) -> str | NightmarkError:
    """The folder of a split's shards, or why there is none."""
    try:
        return shards_of(plan.dataset(split.dataset), plan.runtime)
    except NightmarkError as error:
        return error


def _outcome(plan: Plan, pair: PairName, folder: str, slots: int) -> Outcome:
    """The outcome of a pair; a crash in it is told, and does not take the night down."""
    flow_on_slots = evaluate.with_options(task_runner=threads(slots))
    with tags(f"dataset:{pair.split.dataset}", f"model:{pair.model}"):
        state = flow_on_slots(plan, pair.split.dataset, pair.model, folder, return_state=True)
    try:
        return taken(state, Outcome)
    except Exception as error:  # whatever a crash leaves behind
        message = f"the evaluation ended unexpectedly ({state.name}): {state.message or error}"
        return Outcome(pair=Pair.of(pair), state="incomplete", message=message)
