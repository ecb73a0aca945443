"""A night: every pair of the plan evaluated and judged, then one report over all of them."""

import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from prefect import flow, get_run_logger, runtime, tags
from prefect.client.schemas.objects import State

from conf.loading import load_with_models
from conf.plan import DatasetPlan, Plan
from flows.build_shards import shards_of
from flows.evaluate import evaluate, final_state, outcome_of
from flows.returned import taken
from flows.runners import threads
from shards.errors import NightmarkError
from shards.store import Store
from tasks.layout import PairName, night_name
from tasks.night import Night, Outcome, Provenance, worst
from tasks.promote import promote_passed, promote_what_was_left
from tasks.publish import publish_night
from tasks.records import Pair
from tasks.slots.devices import Device, find_devices
from tasks.slots.pool import slot_pool
from tasks.stored import read_scorings

NIGHT_ID_DIGITS = 6


def _run_name() -> str:
    parameters: dict[str, object] = runtime.flow_run.parameters
    return f"night of {Path(str(parameters['plan'])).stem}"


@flow(name="nightly", flow_run_name=_run_name)
def nightly(plan: Path, overrides: Sequence[str] = ()) -> State[Night]:
    """Run the plan in the file ``plan``; ``overrides`` are ``dotted.key=value``.

    The state carries the night. It is Failed (GateFailed, Incomplete, Unusable) or Completed
    (Passed, Inconclusive) after its worst pair.

    Raises:
        InputError: the plan is not one, or has no models; then nothing is done.
    """
    work = load_with_models(plan, overrides)
    store = Store.at(work.runtime.root)
    promote_what_was_left(store, work.name)
    started = datetime.now(UTC)
    devices = find_devices(work.runtime.devices)
    with slot_pool(devices):
        outcomes = [
            outcome
            for dataset in work.training_first()
            for outcome in _outcomes(work, dataset, devices)
        ]
    state = worst([outcome.state for outcome in outcomes])
    night = Night(
        name=night_name(started, uuid.uuid4().hex[:NIGHT_ID_DIGITS]),
        plan=work.name,
        plan_digest=work.digest,
        started=started,
        finished=datetime.now(UTC),
        state=state,
        outcomes=tuple(outcomes),
        promotion=work.promotion,
        provenance=Provenance.here(tuple(str(device) for device in devices)),
    )
    page = publish_night(store, night, read_scorings(store, outcomes))
    promote_passed(store, night)
    get_run_logger().info("%s: %s; report: %s", night.name, state, page)
    decisive = [f"{o.pair}: {o.message}" for o in outcomes if o.state == state]
    decisive = decisive or ["No model of the plan belongs to any of its datasets."]
    return final_state(state, f"{'; '.join(decisive[:3])} Report: {page}", night)


def _outcomes(plan: Plan, dataset: DatasetPlan, devices: tuple[Device, ...]) -> Iterator[Outcome]:
    """The outcomes of a dataset's pairs; its shards are built once."""
    pairs = [pair for pair in plan.pairs() if pair.split == dataset.split_name]
    if not pairs:
        return
    try:
        folder = shards_of(dataset, plan.runtime)
    except NightmarkError as error:
        yield from (outcome_of(error, pair) for pair in pairs)
        return
    for pair in pairs:
        yield _outcome(plan, pair, folder, len(devices))


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
