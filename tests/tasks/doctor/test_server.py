from dataclasses import replace

import pytest

from tasks.doctor.check import Check
from tasks.doctor.server import Deployment, Server, Wanted, check_server

NIGHTLY = Deployment("nightly", is_paused=False, active_schedules=1, zones=("UTC",), pool="p")
GOOD = Server(
    url="http://s/api",
    version="3.8.8",
    clock_offset=0.2,
    deployments=(NIGHTLY,),
    workers=(("p", 1),),
)
WANTED = (Wanted("nightly", is_scheduled=True),)


def checks(server: Server, client: str = "3.8.8", zone: str = "UTC") -> dict[str, Check]:
    return {check.name: check for check in check_server(server, client, WANTED, zone)}


def with_nightly(**changes: object) -> Server:
    return replace(GOOD, deployments=(replace(NIGHTLY, **changes),))  # type: ignore[arg-type]


def test_a_server_that_is_well() -> None:
    found = checks(GOOD)
    assert {check.state for check in found.values()} == {"fine"}
    assert list(found) == ["Prefect server", "clock", "deployment nightly", "worker of p"]


def test_none_is_configured() -> None:
    (check,) = checks(Server("")).values()
    assert check.state == "skipped"


def test_one_that_does_not_answer() -> None:
    (check,) = checks(Server("http://s/api", fault="refused")).values()
    assert (check.state, check.said) == ("fault", "http://s/api does not answer: refused")


@pytest.mark.parametrize(
    ("server", "client", "state"),
    [
        *(("3.8.2", "3.8.8", "fine"), ("3.9.0", "3.8.8", "fine")),
        *(("3.7.9", "3.8.8", "fault"), ("2.20.0", "3.8.8", "fault"), ("x", "3.8.8", "fault")),
    ],
)
def test_versions(server: str, client: str, state: str) -> None:
    assert checks(replace(GOOD, version=server), client)["Prefect server"].state == state


@pytest.mark.parametrize(
    ("offset", "state"), [(4.9, "fine"), (-6.0, "fault"), (3600.0, "fault"), (None, "skipped")]
)
def test_clocks(offset: float | None, state: str) -> None:
    assert checks(replace(GOOD, clock_offset=offset))["clock"].state == state


@pytest.mark.parametrize(
    ("server", "said"),
    [
        (replace(GOOD, deployments=()), "not on the server"),
        (with_nightly(is_paused=True), "is paused"),
        (with_nightly(active_schedules=0), "has no active schedule"),
        (with_nightly(late_runs=2), "2 of its runs are late"),
    ],
)
def test_a_deployment_that_will_not_run(server: Server, said: str) -> None:
    check = checks(server)["deployment nightly"]
    assert (check.state, check.said) == ("fault", said)


def test_a_schedule_by_another_clock() -> None:
    check = checks(GOOD, zone="Europe/Berlin")["deployment nightly"]
    assert check.state == "warning"
    assert "by UTC, the plan (runtime.time_zone) by Europe/Berlin" in check.said


def test_no_worker_is_online() -> None:
    check = checks(replace(GOOD, workers=(("p", 0),)))["worker of p"]
    assert (check.state, check.remedy) == ("fault", "prefect worker start --pool p")
    assert checks(replace(GOOD, workers=()))["worker of p"].state == "fault"
