"""The services of docs/operations.md, each by its own command, on PostgreSQL; killed in turn."""

import os
import signal
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect, sync_playwright
from prefect.blocks.notifications import MattermostWebhook
from prefect.settings import PREFECT_API_URL, temporary_settings
from pydantic import SecretStr

from tests.support.browser import CHROMIUM, DESKTOP, FLAGS
from tests.support.mail import mailbox
from tests.support.postgres import postgres
from tests.support.served import REPOSITORY, Served, members, receiver, slowly
from tests.support.services import NIGHTMARK, PREFECT, SERVER, WORKER, Services
from tests.system.conftest import some_free_port

SHARDS, AWAY_SECONDS = 4, 15
LEARNING_SECONDS = 5
"""Prefect's triggers learn of a change a moment later."""


@pytest.fixture(scope="module")
def notified() -> Iterator[tuple[str, list[str]]]:
    with receiver() as both:
        yield both


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory, module_port: int) -> Iterator[Services]:
    with postgres(some_free_port()) as database:
        begun = Services(tmp_path_factory.mktemp("services"), module_port, database)
        yield begun
        begun.end()


@pytest.fixture(scope="module")
def served(services: Services, module_port: int, notified: tuple[str, list[str]]) -> Served:
    address, posted = notified
    begun = Served(services.folder, module_port, services.begin(*SERVER), posted=posted)
    begun.wait(lambda: begun.api("GET", "health"), 120, "the server")
    services.run(*PREFECT, "work-pool", "create", "nightmark", "--type", "process")
    services.run(*PREFECT, "deploy", "--all")
    services.run(*NIGHTMARK, "automations", "--notify", address)
    # It would take the overrides of these tests for an update.
    begun.api("POST", f"deployments/{begun.deployment('watch-models')}/pause_deployment")
    services.begin(*WORKER)
    return begun


def predicted(served: Served) -> dict[str, int]:
    """Which shards are predicted, and when each was written."""
    found = served.root.glob("predictions/**/*.parquet")
    return {str(path): path.stat().st_mtime_ns for path in found}


def test_the_schedule_fires_and_the_night_completes(served: Served) -> None:
    begun = served.wait(lambda: served.runs("nightly"), 120, "a scheduled night")[0]
    served.api("POST", f"deployments/{served.deployment('nightly')}/pause_deployment")
    run = served.ended(begun["id"])
    assert (run["state_name"], run["name"]) == ("Passed", "night of small")
    assert "auto-scheduled" in run["tags"]
    assert served.nights()[0]["outcomes"][0]["work"]["computed"] == SHARDS
    schedule = served.api("GET", "deployments/name/nightly/nightly")["schedules"][0]["schedule"]
    assert schedule["timezone"] == "Europe/Berlin"


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_the_verdict_and_the_artifacts_show_in_the_ui(served: Served) -> None:
    run = served.runs("nightly")[0]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        page = browser.new_page(viewport=DESKTOP)
        page.goto(f"{served.base}/v2/runs/flow-run/{run['id']}")
        expect(page.get_by_text("Passed", exact=True).first).to_be_visible(timeout=60_000)
        page.get_by_role("tab", name="Artifacts").click()
        expect(page.get_by_text("night", exact=True).first).to_be_visible(timeout=30_000)
        page.screenshot(path=served.folder / "postgresql.png")
        browser.close()


def test_a_failed_gate_is_told_of_once(served: Served) -> None:
    served.posted.clear()
    run = served.ended(served.begin("nightly", overrides=["gates.0.min=0.999"]))
    assert run["state_name"] in ("GateFailed", "Inconclusive"), run["state"]
    served.wait(lambda: served.told("ended GateFailed"), 60, "the notification")
    time.sleep(2)
    (told,) = served.told("ended GateFailed")
    assert "night of small" in told


def test_a_killed_worker_and_a_server_that_is_away_lose_nothing(
    served: Served, services: Services
) -> None:
    before = set(predicted(served))
    slow = slowly(served.folder)
    begun = served.begin("nightly", overrides=slow)
    served.wait(lambda: set(predicted(served)) - before, 90, "a first shard")
    # The worker alone, as when memory runs out: the run's own process goes on.
    worker = served.process_of("prefect --no-prompt worker")
    server = served.process_of("prefect --no-prompt server")
    assert worker is not None
    assert server is not None
    os.kill(worker, signal.SIGKILL)
    os.killpg(server, signal.SIGKILL)
    served.process.wait()
    time.sleep(AWAY_SECONDS)
    services.begin(*SERVER)
    services.begin(*WORKER)
    run = served.ended(begun, 180)
    assert run["state_name"] in ("GateFailed", "Inconclusive"), run["state"]
    assert served.nights()[-1]["outcomes"][0]["work"]["computed"] == SHARDS
    written = predicted(served)
    again = served.ended(served.begin("nightly", overrides=slow), 180)
    assert again["state_name"] == run["state_name"]
    work = served.nights()[-1]["outcomes"][0]["work"]
    assert (work["computed"], work["reused"]) == (0, SHARDS)
    assert predicted(served) == written, "nothing is computed twice"


def test_a_service_that_is_killed_with_its_runs_is_told_truthfully(
    served: Served, services: Services
) -> None:
    """As by a machine that loses its power: nobody is left to say what became of the run."""
    served.posted.clear()
    before = set(predicted(served))
    slow = [*slowly(served.folder), "models.0.revision=other"]
    begun = served.begin("nightly", overrides=slow)
    served.wait(lambda: set(predicted(served)) - before, 90, "a first shard")
    for pid, command in members(served.folder):
        if "worker" in command or "engine" in command or "spawn_main" in command:
            os.kill(pid, signal.SIGKILL)
    kept = len(set(predicted(served)) - before)
    assert 1 <= kept < SHARDS
    late = served.begin("reprocess")
    served.wait(lambda: served.told("has not begun"), 90, "word of the late run")
    run = served.ended(begun, 240)
    assert run["state_type"] == "CRASHED"
    assert "no heartbeat for 90 seconds. Next: run it again" in run["state"]["message"]
    served.wait(lambda: served.told("Crashed"), 60, "a notification")

    assert served.api("GET", f"flow_runs/{late}")["state_name"] == "Late"
    (told,) = served.told("has not begun")
    assert "see that a worker runs" in told
    served.wait(lambda: "none is online" in services.doctor("worker of nightmark"), 60, "doctor")
    served.api("DELETE", f"flow_runs/{late}")
    services.begin(*WORKER)
    served.ended(served.begin("nightly", overrides=slow), 180)
    work = served.nights()[-1]["outcomes"][0]["work"]
    assert (work["computed"], work["reused"]) == (SHARDS - kept, kept)


def test_it_is_told_by_mail_and_in_a_chat(served: Served, services: Services) -> None:
    """One by an address, one by a block, as somebody makes it in the UI; each is told once."""
    chat = served.folder / "chat.yaml"
    shipped = (REPOSITORY / "conf" / "automations.yaml").read_text()
    chat.write_text(shipped.replace('name: "nightmark:', 'name: "chat:'))
    with mailbox() as (port, mails), receiver() as (address, said):
        with temporary_settings({PREFECT_API_URL: f"{served.base}/api"}):
            chat_port = int(address.strip("/").rpartition(":")[2])
            hook = SecretStr("hook")
            MattermostWebhook(hostname="127.0.0.1", port=chat_port, token=hook).save("ops")
        mailto = f"mailto://127.0.0.1:{port}?from=night@example.org&to=ops@example.org"
        services.run(*NIGHTMARK, "automations", "--notify", mailto)
        block_words = ("--automations", str(chat), "--notify", "mattermost-webhook/ops")
        services.run(*NIGHTMARK, "automations", *block_words)
        time.sleep(LEARNING_SECONDS)
        served.posted.clear()
        name = end_without_work(served, "FAILED", "GateFailed", "Next: open the report.")
        served.wait(lambda: mails and said, 30, "both to be told")
    (mail,), (text,) = mails, said
    assert mail["subject"] == f"nightmark: {name} ended GateFailed"
    assert mail["to"] == "ops@example.org"
    for told in (mail.as_string(), text):
        assert "Next: open the report." in told
        assert "/runs/flow-run/" in told
    assert not served.told("GateFailed"), "the mail took the place of the webhook"


def end_without_work(served: Served, kind: str, state: str, message: str) -> str:
    """The server hears of a night that ended so; the name of its run."""
    flow = served.api("GET", "flows/name/nightly")["id"]
    run = served.api("POST", "flow_runs/", json={"flow_id": flow, "name": "night of nobody"})
    ended = {"type": kind, "name": state, "message": message}
    wanted = {"state": ended, "force": True}
    served.api("POST", f"flow_runs/{run['id']}/set_state", json=wanted)
    return str(run["name"])


def test_a_missed_night_is_noticed(
    served: Served, services: Services, notified: tuple[str, list[str]]
) -> None:
    own = served.folder / "own.yaml"
    text = (REPOSITORY / "conf" / "automations.yaml").read_text()
    own.write_text(text.replace("within: 90000", "within: 20"))
    services.run(*NIGHTMARK, "automations", "--automations", str(own), "--notify", notified[0])
    names = [one["name"] for one in served.api("POST", "automations/filter", json={})]
    assert len(names) == len(set(names)), "what is put twice is there once"
    time.sleep(LEARNING_SECONDS)
    served.posted.clear()
    end_without_work(served, "COMPLETED", "Passed", "Next: nothing to do.")
    served.wait(lambda: served.told("no night has finished"), 90, "word of the missed night")
    assert len(served.told("no night has finished")) == 1
