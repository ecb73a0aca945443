"""``nightmark doctor`` on this machine, and against the server of the tests."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_KEY,
    PREFECT_API_URL,
    temporary_settings,
)

from flows.doctor import server_facts, wanted_deployments
from tasks.doctor.server import Server

Command = Callable[..., int]
Printed = pytest.CaptureFixture[str]
PLAN = Path(__file__).parents[1] / "plans" / "small.yaml"


def test_a_plan_that_is_well_but_not_deployed(
    root: Path, nightmark: Command, capsys: Printed
) -> None:
    assert nightmark("doctor", PLAN, "--json") == 1
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)}
    wrong = {name for name, check in checks.items() if check["state"] == "fault"}
    # Other tests deploy to this server, too, and no worker looks after that.
    assert {name.partition(" ")[0] for name in wrong} - {"worker"} == {"deployment"}
    assert checks["deployment nightly"]["said"] == "not on the server"
    assert checks["Prefect server"]["state"] == "fine"
    assert checks["inputs of the plan"]["state"] == "fine"
    assert "the plan needs about" in checks["disk space"]["said"]
    assert not [path for path in root.rglob("*") if path.is_file()]


def test_faults_are_told_with_what_to_do(
    root: Path, tmp_path: Path, nightmark: Command, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.doctor.server_facts", lambda _: Server(""))
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN.read_text().replace("../../conf", "nowhere"))
    assert nightmark("doctor", plan) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "model resnet8: weights: correct the plan, or put the file there" in said
    assert "1 fault, 0 warnings." in said
    assert nightmark("doctor") == 0
    assert "All is well." in capsys.readouterr().out
    plan.write_text("name: x")
    assert nightmark("doctor", plan) == 1
    assert "plan: correct it; docs/plan.md lists what it can say" in capsys.readouterr().out


def test_the_server_of_the_tests_says_its_version_and_time() -> None:
    url = PREFECT_API_URL.value()
    assert url is not None
    found = server_facts(url)
    assert found.fault == ""
    assert "nightly" not in {deployment.name for deployment in found.deployments}
    assert found.version.startswith("3.")
    assert found.clock_offset is not None
    assert abs(found.clock_offset) < 5


def test_no_server_answers() -> None:
    assert "refused" in server_facts("http://127.0.0.1:9/api").fault


@pytest.mark.parametrize(
    ("setting", "sent"),
    [
        ({PREFECT_API_AUTH_STRING: "ada:pass"}, "Basic YWRhOnBhc3M="),
        ({PREFECT_API_KEY: "key"}, "Bearer key"),
        ({}, None),
    ],
)
def test_a_server_that_asks_for_a_password(
    monkeypatch: pytest.MonkeyPatch, setting: dict[object, str], sent: str | None
) -> None:
    asked: list[str | None] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers.get("authorization"))
        return httpx.Response(401)

    real, transport = httpx.Client, httpx.MockTransport(refuse)
    monkeypatch.setattr(httpx, "Client", lambda **how: real(transport=transport, **how))
    with temporary_settings(setting):
        assert "401" in server_facts("http://s/api").fault
    assert asked == [sent]


def test_an_address_that_is_none_is_a_fault() -> None:
    assert "port" in server_facts("http://s:many/api").fault


def test_what_a_server_says_of_deployments(monkeypatch: pytest.MonkeyPatch) -> None:
    cron = {"cron": "0 2 * * *", "timezone": "Europe/Berlin"}
    answers = {
        "/api/admin/version": "3.8.8",
        "/api/deployments/filter": [
            {
                "id": "1",
                "name": "nightly",
                "paused": False,
                "work_pool_name": "p",
                "schedules": [
                    {"active": True, "schedule": cron},
                    {"active": False, "schedule": cron},
                    {"active": True, "schedule": {"interval": 300}},
                ],
            }
        ],
        "/api/flow_runs/count": 3,
        "/api/work_pools/p/workers/filter": [{"status": "ONLINE"}, {"status": "OFFLINE"}],
    }
    transport = httpx.MockTransport(lambda ask: httpx.Response(200, json=answers[ask.url.path]))
    real = httpx.Client
    monkeypatch.setattr(httpx, "Client", lambda **how: real(transport=transport, **how))
    found = server_facts("http://s/api/")
    (nightly,) = found.deployments
    assert (nightly.active_schedules, nightly.zones, nightly.late_runs) == (
        2,
        ("Europe/Berlin",),
        3,
    )
    assert found.workers == (("p", 1),)
    assert found.clock_offset is None


def test_the_deployments_that_there_should_be() -> None:
    wanted = {each.name: each.is_scheduled for each in wanted_deployments()}
    assert wanted["nightly"]
    assert not wanted["reprocess"]
    assert wanted["watch-models"]
    assert set(wanted) == {
        *("nightly", "build-shards", "watch-models", "reprocess", "approve", "prune")
    }
    assert not wanted["prune"], "nothing is removed that nobody asked for"
