"""A plan that promotes by approval: the night asks, the run waits suspended, a person answers."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.client.schemas.responses import SetStateStatus
from prefect.events.schemas.automations import EventTrigger
from prefect.exceptions import Pause
from prefect.flow_engine import run_flow
from prefect.states import Failed

from flows.approve import approve, ask_for_approval
from flows.automations import _definitions, _read
from flows.nightly import nightly
from flows.returned import taken
from shards.store import Store
from tasks.gates.approval import answered, promotions
from tasks.gates.decisions import Decisions, read_decisions, record
from tasks.layout import PairName, SplitName
from tasks.night import Night
from tasks.stored import read_record
from tests.support.stored import logits, outcome_of, store_evaluation, store_night

PLAN = Path(__file__).parents[1] / "plans" / "small.yaml"
PAIR = PairName(SplitName("cifar10", "test"), "resnet8")


@pytest.fixture
def client() -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as found:
        yield found


def deploy(client: SyncPrefectClient) -> UUID:
    found = client.create_flow(approve)
    return client.create_deployment(found, "approve", entrypoint="flows.approve.approve")


def runs_of(client: SyncPrefectClient, deployment: UUID) -> list[FlowRun]:
    return [run for run in client.read_flow_runs() if run.deployment_id == deployment]


def carried_on(client: SyncPrefectClient, run: FlowRun) -> State:
    """What a worker does with a run that is due, in this process."""
    state = run_flow(approve, client.read_flow_run(run.id), run.parameters, return_type="state")
    assert isinstance(state, State)
    return state


def suspended(client: SyncPrefectClient, run: FlowRun) -> FlowRun:
    with pytest.raises(Pause):
        carried_on(client, run)
    return client.read_flow_run(run.id)


@flow
def end_of_night(root: Path, night: str) -> None:
    ask_for_approval(Store.at(root), read_record(Store.at(root), night))


def decided(root: Path) -> Decisions:
    return read_decisions(Store.at(root), PAIR)


def test_what_passed_waits_suspended_until_a_person_answers(
    root: Path, client: SyncPrefectClient, caplog: pytest.LogCaptureFixture
) -> None:
    night = taken(nightly(PLAN, ["promotion=approval"], return_state=True), Night)
    assert (night.state, night.promotion) == ("passed", "approval")
    assert not decided(root), "nothing is promoted by itself"
    assert "nobody could be asked" in caplog.text, "nothing is deployed"
    assert f"nightmark promote cifar10/test/resnet8@{night.name}" in caplog.text

    deployment = deploy(client)
    end_of_night(root, night.name)
    end_of_night(root, night.name)
    (run,) = runs_of(client, deployment)
    words = {"root": str(root), "pair": "cifar10/test/resnet8", "night": night.name}
    assert run.parameters == words, "one run for an evaluation, however often it passes"
    waiting = suspended(client, run)
    assert waiting.state_name == "Suspended"
    assert waiting.name == f"approve cifar10/test/resnet8 of {night.name}?"
    late = client.create_flow_run_from_deployment(deployment, parameters=words)
    suspended(client, late)
    refused = client.resume_flow_run(run.id, {"decision": "approve", "who": "Ada", "why": " "})
    assert refused.status == SetStateStatus.REJECT, "a reason is needed"
    assert not decided(root)

    answer = {"decision": "approve", "who": "Ada", "why": "as I hoped"}
    assert client.resume_flow_run(run.id, answer).status == SetStateStatus.ACCEPT
    ended = carried_on(client, run)
    (made,) = decided(root)
    assert (ended.name, ended.is_completed()) == ("Approved", True)
    assert (made.kind, made.who, made.why) == ("promote", "Ada", "as I hoped")
    assert made.night == night.name

    client.resume_flow_run(late.id, {**answer, "decision": "decline"})
    assert carried_on(client, late).name == "PassedOver"
    useless = client.create_flow_run_from_deployment(deployment, parameters=words)
    assert carried_on(client, useless).name == "PassedOver", "nobody is asked in vain"
    assert decided(root) == (made,)


def test_a_night_that_is_not_there_is_told(root: Path) -> None:
    state = approve(str(root), "cifar10/test/resnet8", "n1", return_state=True)
    assert (state.name, state.is_failed()) == ("Unusable", True)
    assert "has no night 'n1'" in str(state.message)


def kept_night(store: Store, day: int, version: str) -> Night:
    """A night that a version of the model passed, under approval."""
    targets = (np.arange(40) % 4).tolist()
    scores = logits(np.array(targets), 4, skill=2, seed=int(version))
    evaluated = store_evaluation(store, PAIR, scores, targets, version=version)
    night = store_night(store, day, outcome_of(evaluated))
    night = night.model_copy(update={"promotion": "approval"})
    store.publish(f"nights/{night.name}/night.json", night.to_json())
    return night


def test_what_was_replaced_and_returns_is_asked_about_again(
    root: Path, client: SyncPrefectClient
) -> None:
    store, deployment = Store.at(root), deploy(client)
    nights = [kept_night(store, day, version) for day, version in ((1, "1"), (2, "2"), (3, "1"))]
    for night in nights:
        end_of_night(root, night.name)
        (proposal,) = promotions(store, night, datetime.now(UTC))
        now = datetime.now(UTC)
        record(store, answered(proposal, approved=True, who="Ada", why="as I hoped", now=now))
    runs = [run for run in runs_of(client, deployment) if run.parameters["root"] == str(root)]
    assert {run.parameters["night"] for run in runs} == {night.name for night in nights}


def test_an_answer_that_comes_too_late_decides_nothing(
    root: Path, client: SyncPrefectClient
) -> None:
    night = kept_night(Store.at(root), 1, "1")
    words = {"root": str(root), "pair": str(PAIR), "night": night.name, "days": 1e-9}
    run = client.create_flow_run_from_deployment(deploy(client), parameters=words)
    assert suspended(client, run).state_name == "Suspended"
    answer = {"decision": "approve", "who": "Ada", "why": "as I hoped"}
    assert client.resume_flow_run(run.id, answer).status == SetStateStatus.REJECT
    ended = client.read_flow_run(run.id).state
    assert ended is not None
    assert ended.is_failed()
    # conf/automations.yaml knows it by these words, and gives it a name and a next step.
    (unanswered,) = (
        one for one in _definitions(_read(None), None, None) if "nobody ans" in one.name
    )
    assert isinstance(unanswered.trigger, EventTrigger)
    assert ended.message in str(unanswered.trigger.match)
    assert not decided(root)


def test_a_question_that_nobody_answered_is_not_said_to_wait(
    root: Path, client: SyncPrefectClient, caplog: pytest.LogCaptureFixture
) -> None:
    deployment = deploy(client)
    night = kept_night(Store.at(root), 1, "1")
    end_of_night(root, night.name)
    (run,) = [r for r in runs_of(client, deployment) if r.parameters["root"] == str(root)]
    client.set_flow_run_state(run.id, Failed(message="timed out"), force=True)
    caplog.clear()
    end_of_night(root, night.name)
    assert "waits for approval" not in caplog.text
    assert "it was asked about before, and that run ended Failed" in caplog.text


def test_what_did_not_pass_is_not_asked_about(root: Path) -> None:
    store = Store.at(root)
    night = kept_night(store, 1, "1")
    failed = night.outcomes[0].model_copy(update={"state": "failed"})
    night = night.model_copy(update={"outcomes": (failed,)})
    store.publish(f"nights/{night.name}/night.json", night.to_json())
    state = approve(str(root), str(PAIR), night.name, return_state=True)
    assert state.name == "Unusable"
    assert f"is failed in night {night.name}; only what passed" in str(state.message)
