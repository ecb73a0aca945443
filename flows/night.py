"""The body of every flow that evaluates pairs of a plan and ends in one report over all of them."""

import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from prefect import get_run_logger, tags
from prefect.client.schemas.objects import State

from conf.plan import Plan
from flows.approve import ask_for_approval
from flows.build_shards import shards_of
from flows.evaluate import evaluate, outcome_of
from flows.returned import taken
from flows.runners import threads
from flows.states import MORE_TIME, fault_state, final_state, tag_run
from flows.weights import WeightsAtHand, weights_at_hand
from shards.errors import InputError, NightmarkError
from shards.store import Store
from tasks.deadline import deadline_at, is_over, too_late, until
from tasks.layout import PairName, SplitName, night_name
from tasks.leases import held
from tasks.night import Night, NightKind, Outcome, Provenance, worst
from tasks.night_words import night_sentence
from tasks.promote import promote_passed, promote_what_was_left
from tasks.publish import publish_night
from tasks.records import Pair
from tasks.slots.devices import Device, find_devices
from tasks.slots.pool import slot_pool
from tasks.stored import read_scorings
from tasks.weights.kept import Fetched

NIGHT_ID_DIGITS = 6


def run_night(
    plan: Plan,
    pairs: Sequence[PairName],
    kind: NightKind = "night",
    quick: int | None = None,
    deadline: str | None = None,
    overrides: Sequence[str] = (),
) -> State[Night]:
    """Evaluate and judge these pairs of the plan, in their order; publish, and promote.

    Called inside a flow, which returns the state: it carries the night, and is Failed (GateFailed,
    Incomplete, Unusable) or Completed (Passed, Inconclusive) after its worst pair. What cannot be
    done is an outcome of its pair; an error that ends the night is in the state.

    Args:
        plan: its runtime says where, on what, and by default until when.
        pairs: the most important first.
        kind: what the record calls it.
        quick: judge on the first so many shards of each split; nothing is promoted then.
        deadline: in place of the plan's.
        overrides: what the plan was loaded with, for the record.
    """
    try:
        with held(Store.at(plan.runtime.root), kind, [entry.split_name for entry in plan.datasets]):
            published = _worked(plan, pairs, kind, quick, deadline, tuple(overrides))
        return _ended(*published)
    except Exception as error:  # a fault of nightmark too, so that the UI says what to do
        return fault_state(error)


def _worked(
    plan: Plan,
    pairs: Sequence[PairName],
    kind: NightKind,
    quick: int | None,
    deadline: str | None,
    overrides: tuple[str, ...],
) -> tuple[Night, str]:
    """The published night, and where its page lies."""
    store = Store.at(plan.runtime.root)
    started = datetime.now(UTC)
    moment = _moment(deadline or plan.runtime.deadline, started, plan.runtime.time_zone)
    tag_run(*_tags(plan, pairs, quick))
    promote_what_was_left(store, plan.name)
    devices = find_devices(plan.runtime.devices)
    # Once, so that a version that comes meanwhile is the next night's, for all of its pairs.
    weights = weights_at_hand(plan, pairs)
    with slot_pool(devices), until(moment):
        outcomes = tuple(_outcomes(plan, pairs, devices, quick, weights))
    night = Night(
        name=night_name(started, uuid.uuid4().hex[:NIGHT_ID_DIGITS]),
        kind=kind,
        quick=quick,
        deadline=moment,
        plan=plan.name,
        plan_digest=plan.digest,
        overrides=overrides,
        started=started,
        finished=datetime.now(UTC),
        state=worst([outcome.state for outcome in outcomes]),
        outcomes=outcomes,
        promotion=plan.promotion,
        provenance=Provenance.here(tuple(str(device) for device in devices)),
    )
    scorings = read_scorings(store, outcomes)
    runtime = plan.runtime
    told = (runtime.reports_url, runtime.thumbnails, runtime.prometheus)
    page = publish_night(store, night, scorings, *told)
    promote_passed(store, night)
    ask_for_approval(store, night)
    return night, page


def _ended(night: Night, page: str) -> State[Night]:
    get_run_logger().info("%s: %s; report: %s", night.name, night.state, page)
    deciding = [outcome for outcome in night.outcomes if outcome.state == night.state]
    only_time = bool(deciding) and all(outcome.cut_off for outcome in deciding)
    message = f"{night_sentence(night)} Report: {page}"
    return final_state(night.state, message, night, MORE_TIME if only_time else None)


def _moment(deadline: str | None, started: datetime, zone: str) -> datetime | None:
    try:
        return None if deadline is None else deadline_at(deadline, started, ZoneInfo(zone))
    except ValueError as error:
        raise InputError(str(error)) from error


def _tags(plan: Plan, pairs: Sequence[PairName], quick: int | None) -> list[str]:
    """What the run is about, for those who filter runs in the UI."""
    datasets = dict.fromkeys(f"dataset:{pair.split.dataset}" for pair in pairs)
    models = dict.fromkeys(f"model:{pair.model}" for pair in pairs)
    return [f"plan:{plan.name}", *datasets, *models, *(["quick"] if quick is not None else [])]


def _outcomes(
    plan: Plan,
    pairs: Sequence[PairName],
    devices: tuple[Device, ...],
    quick: int | None,
    weights: WeightsAtHand,
) -> Iterator[Outcome]:
    """The outcomes of the pairs; the shards of a split are built once, before its first pair."""
    built: dict[SplitName, str | NightmarkError] = {}
    for place, pair in enumerate(pairs, 1):
        if is_over():
            yield outcome_of(too_late("this pair was not begun"), pair)
            continue
        get_run_logger().info("pair %d of %d: %s", place, len(pairs), pair)
        if isinstance(fetched := weights.get(pair.model), NightmarkError):
            yield outcome_of(fetched, pair)
            continue
        if pair.split not in built:
            built[pair.split] = _built(plan, pair.split)
        folder = built[pair.split]
        if isinstance(folder, NightmarkError):
            yield outcome_of(folder, pair)
        else:
            yield _outcome(plan, pair, folder, len(devices), quick, fetched)


def _built(plan: Plan, split: SplitName) -> str | NightmarkError:
    """The folder of a split's shards, or why there is none."""
    try:
        return shards_of(plan.dataset(split.dataset), plan.runtime)
    except NightmarkError as error:
        return error


def _outcome(
    plan: Plan,
    pair: PairName,
    folder: str,
    slots: int,
    quick: int | None,
    weights: Fetched | None,
) -> Outcome:
    """The outcome of a pair; a crash in it is told, and does not take the night down."""
    flow_on_slots = evaluate.with_options(task_runner=threads(slots))
    with tags(f"dataset:{pair.split.dataset}", f"model:{pair.model}"):
        names = (pair.split.dataset, pair.model)
        state = flow_on_slots(plan, *names, folder, quick, weights, return_state=True)
    try:
        return taken(state, Outcome)
    except Exception as error:  # whatever a crash leaves behind
        message = f"the evaluation ended unexpectedly ({state.name}): {state.message or error}"
        return Outcome(pair=Pair.of(pair), state="incomplete", message=message)
