"""Approval: what passed waits for a person, in a run of its own that holds nothing up.

The night ends with its verdict, and so gives back its devices and its place in the queue. The run
that waits is suspended, not paused: a paused one keeps its process, and is lost with its machine.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, cast

from prefect import flow, get_run_logger, runtime, suspend_flow_run
from prefect.client.schemas.objects import FlowRun, State
from prefect.deployments import run_deployment
from prefect.input import RunInput
from prefect.states import Completed
from pydantic import Field

from flows.states import fault_state
from shards.errors import NightmarkError
from shards.store import Store
from tasks.gates.approval import answered, held_promotion, passed_in, promotions, question
from tasks.gates.decisions import Decision, read_decisions, record
from tasks.layout import night_folder
from tasks.night import Night
from tasks.report.html import INDEX_PAGE
from tasks.stored import parse_pair, read_record

DEPLOYMENT = "approve/approve"
APPROVED, DECLINED, PASSED_OVER = "Approved", "Declined", "PassedOver"
"""How a run ends that was answered."""
UNANSWERED = "Unanswered"
"""The name that conf/automations.yaml gives to a run that nobody answered in time."""
SECONDS_A_DAY = 24 * 60 * 60


class Answer(RunInput):
    """The form in the Prefect UI."""

    decision: Literal["approve", "decline"] = Field(
        description="Approve: it becomes the baseline. Decline: the baseline stays as it is."
    )
    who: str = Field(pattern=r"\S", description="Who decides.")
    why: str = Field(pattern=r"\S", description="The reason; kept for ever.")


def _run_name() -> str:
    parameters: dict[str, object] = runtime.flow_run.parameters
    return f"approve {parameters['pair']} of {parameters['night']}?"


@flow(name="approve", flow_run_name=_run_name)
def approve(root: str, pair: str, night: str, days: Annotated[float, Field(gt=0)] = 7.0) -> State:
    """Ask a person whether what passed becomes the baseline of its pair, and record the answer.

    The run is suspended until it is resumed with an answer, and begins anew then. It ends Approved
    or Declined, or PassedOver where no answer counts any more, before or after it was given.

    Args:
        root: the artifact root.
        pair: ``DATASET/SPLIT/MODEL``.
        night: the night in which it passed.
        days: how long to wait; afterwards the run is Failed, named Unanswered by the automation for
            that, and nothing is decided.
    """
    try:
        store = Store.at(root)
        record_of = read_record(store, night)
        outcome = passed_in(record_of, parse_pair(pair))
        decisions = read_decisions(store, outcome.pair.name)
    except NightmarkError as error:
        return fault_state(error)
    if held_promotion(outcome, record_of, decisions, datetime.now(UTC)) is None:
        return _passed_over(f"{pair}@{night}")
    text = question(record_of, outcome, store.locate(f"{night_folder(night)}/{INDEX_PAGE}"))
    answer = suspend_flow_run(
        Answer.with_initial_data(description=text),
        timeout=round(days * SECONDS_A_DAY),
        key="approval",
    )
    try:
        now = datetime.now(UTC)
        decisions = read_decisions(store, outcome.pair.name)
        proposal = held_promotion(outcome, record_of, decisions, now)
        if proposal is None:
            return _passed_over(f"{pair}@{night}")
        approved = answer.decision == "approve"
        made = answered(
            proposal, approved=approved, who=answer.who.strip(), why=answer.why.strip(), now=now
        )
        where = record(store, made)
    except NightmarkError as error:
        return fault_state(error)
    became = "is the baseline now" if approved else "was declined; the baseline is as before"
    said = f"{pair}: {made.evaluation} {became}. {made.who}: {made.why} Recorded: {where}"
    return Completed(name=APPROVED if approved else DECLINED, message=said)


def _passed_over(reference: str) -> State:
    said = (
        f"Nothing was recorded: {reference} was decided about already, or a later night "
        f"was promoted. Next: `nightmark decisions` shows what counts; `nightmark promote "
        f"{reference}` promotes it all the same."
    )
    return Completed(name=PASSED_OVER, message=said)


def ask_for_approval(store: Store, night: Night) -> None:
    """Begin a run that asks, for each pair that waits for a person.

    Once for each evaluation and baseline: what was replaced is asked about anew if it returns.
    Whoever cannot be asked here is told of the command that decides instead.
    """
    try:
        waiting = promotions(store, night, datetime.now(UTC))
    except NightmarkError as error:
        get_run_logger().warning("nobody is asked for approval: %s", error)
        return
    for decision in waiting:
        _ask(store, night, decision)


def _ask(store: Store, night: Night, decision: Decision) -> None:
    pair = str(decision.pair)
    root = str(Path(store.root).resolve()) if store.is_local else store.root
    way = f'`nightmark promote {pair}@{night.name} --why "…"` approves it'
    try:
        standing = read_decisions(store, decision.pair.name).standing("promote")
        over = standing[-1].id if standing else "none"
        begun = run_deployment(
            DEPLOYMENT,
            parameters={"root": root, "pair": pair, "night": night.name},
            timeout=0,
            as_subflow=False,
            idempotency_key=f"{root} {pair} {decision.evaluation} over {over}",
            tags=[f"dataset:{decision.pair.dataset}", f"model:{decision.pair.model}", "approval"],
        )
    except Exception as error:  # whatever a client raises: the night is done and published
        get_run_logger().warning("%s passed; nobody could be asked (%s): %s", pair, error, way)
        return
    run = cast("FlowRun", begun)
    if run.state is not None and run.state.is_final():
        said = "%s passed; it was asked about before, and that run ended %s: %s"
        get_run_logger().warning(said, pair, run.state.name, way)
        return
    get_run_logger().info("%s passed and waits for approval in the Prefect UI; or %s", pair, way)
