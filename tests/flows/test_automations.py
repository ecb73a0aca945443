"""The shipped automations know the states in which runs end; what is no automation is refused."""

from pathlib import Path

import pytest
from prefect.blocks.notifications import SlackWebhook
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import Resource

from flows.approve import APPROVED, DECLINED, PASSED_OVER, UNANSWERED, approve
from flows.automations import _block_of, _definitions, _read
from flows.states import GREEN, STATE_NAMES, UP_TO_DATE
from shards.errors import InputError
from tests.support.mail import mailbox
from tests.support.served import receiver


@pytest.fixture
def shipped() -> dict[str, AutomationCore]:
    return {one.name: one for one in _definitions(_read(None), None, None)}


def expected(automation: AutomationCore) -> set[str]:
    assert isinstance(automation.trigger, EventTrigger)
    return {event.removeprefix("prefect.flow-run.") for event in automation.trigger.expect}


def test_a_run_that_ended_is_never_taken_for_dead(shipped: dict[str, AutomationCore]) -> None:
    """A name that is missing here would turn such a run into a crash, 90 seconds later."""
    dead = shipped["nightmark: a run that died without a word"]
    assert isinstance(dead.trigger, EventTrigger)
    assert dead.trigger.posture == Posture.Proactive
    approvals = {APPROVED, DECLINED, PASSED_OVER, UNANSWERED, "Suspended"}
    names = {*STATE_NAMES.values(), UP_TO_DATE, *approvals} | {
        "Completed",
        "Failed",
        "Crashed",
        "Cancelled",
    }
    assert names <= expected(dead)


def test_an_event_that_prefect_looks_at_twice_is_told_once(
    shipped: dict[str, AutomationCore],
) -> None:
    """As it does where its SQLite is busy; without a time and a run to count by, it tells twice."""
    triggers = [one.trigger for one in shipped.values()]
    reactive = [
        trigger
        for trigger in triggers
        if isinstance(trigger, EventTrigger) and trigger.posture == Posture.Reactive
    ]
    assert len(reactive) == 4
    for trigger in reactive:
        assert trigger.for_each == {"prefect.resource.id"}
        assert trigger.within.total_seconds() == 60


def test_a_question_that_waits_is_never_taken_for_dead(shipped: dict[str, AutomationCore]) -> None:
    """Its only heartbeat may come after it was suspended."""
    dead = shipped["nightmark: a run that died without a word"]
    assert isinstance(dead.trigger, EventTrigger)
    assert not dead.trigger.match_related.includes([flow_of("approve")])
    assert dead.trigger.match_related.includes([flow_of("nightly")])


def flow_of(name: str) -> Resource:
    labels = {"prefect.resource.id": "prefect.flow.1", "prefect.resource.role": "flow"}
    return Resource.model_validate({**labels, "prefect.resource.name": name})


def test_every_red_end_of_a_night_is_told_of(shipped: dict[str, AutomationCore]) -> None:
    told = expected(shipped["nightmark: a night that may not ship"])
    red = {name for state, name in STATE_NAMES.items() if state not in GREEN}
    assert red | {"Failed", "Crashed"} <= told
    assert told.isdisjoint(STATE_NAMES[state] for state in GREEN)


def test_an_approval_that_waits_is_told_of(shipped: dict[str, AutomationCore]) -> None:
    waits = shipped["nightmark: an approval that waits"]
    assert expected(waits) == {"Suspended"}
    assert isinstance(waits.trigger, EventTrigger)
    assert "approve" in str(waits.trigger.match_related)
    assert approve.name == "approve"


def test_an_approval_that_nobody_answered_gets_a_name_and_a_next_step(
    shipped: dict[str, AutomationCore],
) -> None:
    unanswered = shipped["nightmark: an approval that nobody answered"]
    assert expected(unanswered) == {"Failed"}
    change = unanswered.actions[0]
    assert isinstance(change, ChangeFlowRunState)
    assert (change.name, change.force) == (UNANSWERED, True)
    assert "Next: `nightmark promote" in str(change.message)


def test_a_night_counts_as_finished_whatever_its_verdict(
    shipped: dict[str, AutomationCore],
) -> None:
    missed = shipped["nightmark: no night for 25 hours"]
    assert expected(missed) == set(STATE_NAMES.values())
    assert isinstance(missed.trigger, EventTrigger)
    assert missed.trigger.after == missed.trigger.expect


def test_without_a_block_nothing_is_sent_and_dead_runs_are_marked(
    shipped: dict[str, AutomationCore],
) -> None:
    kinds = [action.type for one in shipped.values() for action in one.actions]
    assert sorted(set(kinds)) == ["change-flow-run-state", "do-nothing"]


def test_an_address_becomes_a_block_that_keeps_it_secret() -> None:
    secret = _block_of("mailtos://ada:pass%40word@smtp.example.org?to=ops@example.org")
    assert isinstance(secret, SlackWebhook)
    assert "pass%40word" in secret.url.get_secret_value()
    assert "pass" not in str(secret)
    with mailbox() as (port, mails):
        block = _block_of(f"mailto://127.0.0.1:{port}?from=n@example.org&to=ops@example.org")
        with block.raise_on_failure():
            block.notify(subject="a night", body="ended")
    (mail,) = mails
    assert (mail["to"], mail["subject"]) == ("ops@example.org", "a night")


def test_a_web_address_is_kept_secret_and_gets_its_post() -> None:
    with receiver() as (address, posted):
        block = _block_of(f"{address}/the-key")
        assert "the-key" not in str(block)
        assert "the-key" not in str(block.model_dump(mode="json", exclude_none=True))
        block.notify(subject="a night", body="ended")
    assert posted == ["a night\nended"]


def test_an_address_that_is_none_is_refused_without_its_password() -> None:
    with pytest.raises(InputError, match=r"--notify mailto://…: apprise") as refused:
        _block_of("mailto://ada:secret@")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("automations: [", "not readable as YAML"),
        ("automation: []", "a list under `automations` is needed"),
        ("automations: [{name: odd, trigger: {type: event, within: soon}}]", "odd"),
        ("automations: [7]", "7"),
    ],
)
def test_what_is_no_automation_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=fault):
        list(_definitions(_read(file), None, file))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.yaml: No such file"):
        _read(tmp_path / "none.yaml")
