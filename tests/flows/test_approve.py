"""A plan that promotes by approval: the night asks, the run waits suspended, a person answers."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.client.schemas.responses import SetStateStatus
from prefect.exceptions import Pause
from prefect.flow_engine import run_flow

from flows.approve import approve, ask_for_approval
from flows.nightly import nightly
from flows.returned import taken
from shards.store import Store
from tasks.gates.decisions import Decisions, read_decisions
from tasks.layout import PairName, SplitName
from tasks.night import Night
from tasks.stored import read_record

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

    late = client.create_flow_run_from_deployment(deployment, parameters=words)
    suspended(client, late)
    client.resume_flow_run(late.id, {**answer, "decision": "decline"})
    assert carried_on(client, late).name == "PassedOver"
    assert decided(root) == (made,)


def test_a_night_that_is_not_there_is_told(root: Path) -> None:
    state = approve(str(root), "cifar10/test/resnet8", "n1", return_state=True)
    assert (state.name, state.is_failed()) == ("Unusable", True)
    assert "has no night 'n1'" in str(state.message)
