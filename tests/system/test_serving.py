"""Nights that run by themselves: one server, worker and plan for all of it, in the order told."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.support.browser import CHROMIUM, DESKTOP, FLAGS
from tests.support.served import (
    REPOSITORY,
    Served,
    members,
    serving,
    slowly,
    without_settings,
)

WEIGHTS = REPOSITORY / "conf" / "weights"


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory, module_port: int, fresh_home: Path
) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    shutil.copytree(fresh_home, folder / "prefect")
    text = (REPOSITORY / "tests" / "plans" / "small.yaml").read_text()
    text = text.replace("../../conf/weights/cifar10_resnet8_v2", "checkpoint")
    text = text.replace("min: 0.5", "min: 0.75\n    policy: point")
    (folder / "plan.yaml").write_text(text)
    replace_checkpoint(folder, "v2")
    with serving(folder, folder / "plan.yaml", module_port, "* * * * *") as begun:
        yield begun


def replace_checkpoint(folder: Path, version: str) -> None:
    """As a careful training job does: written beside, then put in place."""
    shutil.copy(WEIGHTS / f"cifar10_resnet8_{version}.safetensors", folder / "new")
    (folder / "new").replace(folder / "checkpoint.safetensors")


def first_run(served: Served, flow: str) -> dict[str, Any] | None:
    return next(iter(served.runs(flow)), None)


def test_the_schedule_fires_and_the_night_completes(served: Served) -> None:
    begun = served.wait(lambda: first_run(served, "nightly"), 120, "a scheduled night")
    served.api("POST", f"deployments/{served.deployment('nightly')}/pause_deployment")
    run = served.ended(begun["id"])
    assert "auto-scheduled" in run["tags"]
    assert (run["state_name"], run["name"]) == ("Passed", "night of plan")
    (night, *_) = served.nights()
    assert (night["state"], night["outcomes"][0]["work"]["computed"]) == ("passed", 4)
    assert list(served.root.glob("decisions/cifar10/test/resnet8/*.json")), "it is the baseline"


def test_a_new_checkpoint_is_noticed_reprocessed_and_told_of_once(served: Served) -> None:
    served.posted.clear()
    replace_checkpoint(served.folder, "v1")
    watched = served.ended(served.begin("watch-models", settle_seconds=0.5))
    assert "changed from" in watched["state"]["message"]
    begun = served.wait(lambda: first_run(served, "reprocess"), 60, "the event to start it")
    run = served.ended(begun["id"])
    assert run["state_name"] == "GateFailed"
    assert {"verdict:failed", "model:resnet8", "dataset:cifar10"} <= set(run["tags"])
    assert run["parameters"]["models"] == ["resnet8"]
    assert run["parameters"]["datasets"] == ["cifar10"]
    night = served.nights()[-1]
    (outcome,) = night["outcomes"]
    assert night["kind"] == "reprocess"
    assert (outcome["work"]["computed"], outcome["work"]["reused"]) == (4, 0)
    assert outcome["comparison"]["state"] == "compared", "with the version that passed"
    served.wait(lambda: served.told("GateFailed"), 60, "the notification")
    again = served.ended(served.begin("watch-models", settle_seconds=0.5))
    assert "none changed" in again["state"]["message"]
    (told,) = served.told("GateFailed")
    assert "reprocess resnet8, cifar10 of plan ended GateFailed" in told
    assert "Next: open the report" in told
    assert f"{served.base}/" in told, "a link to the run"


@pytest.fixture(scope="module")
def killed(served: Served) -> str:
    """The run of a command that was killed; that this is noticed takes a while, for other tests."""
    command = [sys.executable, "-m", "flows", "night", str(served.folder / "plan.yaml")]
    for override in slowly(served.folder):
        command += ["--set", override]
    own = served.folder / "own"
    own.mkdir()
    before = {run["id"] for run in served.runs("nightly")}
    with subprocess.Popen(
        command,
        env={
            **without_settings(),
            "PREFECT_API_URL": f"{served.base}/api",
            "NIGHTMARK_ROOT": str(own),
            "TMPDIR": str(own),
            "PYTHONPATH": str(REPOSITORY),
        },
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        run = served.wait(
            lambda: next((r for r in served.runs("nightly") if r["id"] not in before), None),
            90,
            "it",
        )
        named = {
            "event": {"name": ["prefect.flow-run.heartbeat"]},
            "resource": {"id": [f"prefect.flow-run.{run['id']}"]},
        }
        asked = {"filter": named, "limit": 1}
        served.wait(
            lambda: served.api("POST", "events/filter", json=asked)["events"], 60, "a heartbeat"
        )
        os.killpg(process.pid, signal.SIGKILL)
    return str(run["id"])


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_the_verdict_and_the_artifacts_show_in_the_ui(served: Served, killed: str) -> None:
    run = first_run(served, "reprocess")
    assert run is not None
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        page = browser.new_page(viewport=DESKTOP)
        page.goto(f"{served.base}/v2/runs/flow-run/{run['id']}")
        expect(page.get_by_text("GateFailed").first).to_be_visible(timeout=60_000)
        expect(page.get_by_text("Top-1 accuracy is 50.0 %").first).to_be_visible()
        page.get_by_role("tab", name="Artifacts").click()
        expect(page.get_by_text("night", exact=True).first).to_be_visible(timeout=30_000)
        page.screenshot(path=served.folder / "run.png")
        page.goto(f"{served.base}/v2/deployments")
        for name in ("nightly", "reprocess", "watch-models", "build-shards"):
            expect(page.get_by_text(name, exact=True).first).to_be_visible(timeout=30_000)
        page.screenshot(path=served.folder / "deployments.png")
        browser.close()


def test_doctor_finds_everything_and_says_what_is_paused(served: Served) -> None:
    checks, exit_code = doctor(served)
    wrong = {name for name, (state, _) in checks.items() if state == "fault"}
    assert (wrong, exit_code) == ({"deployment nightly"}, 1), checks
    assert "is paused resume it in the Prefect UI" in checks["deployment nightly"][1]
    assert f"{served.base}/api answers, version 3." in checks["Prefect server"][1]
    assert checks["worker of nightmark"] == ("fine", "1 online ")
    assert checks["deployment watch-models"] == ("fine", "1 active schedules ")


def doctor(served: Served) -> tuple[dict[str, tuple[str, str]], int]:
    """The checks, with state, what is said and the remedy, and the exit code."""
    done = subprocess.run(
        (sys.executable, "-m", "flows", "doctor", str(served.folder / "plan.yaml"), "--json"),
        env={
            **without_settings(),
            "PREFECT_API_URL": f"{served.base}/api",
            "NIGHTMARK_ROOT": str(served.root),
            "PYTHONPATH": str(REPOSITORY),
        },
        cwd=served.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(done.stdout)
    checks = {one["name"]: (one["state"], f"{one['said']} {one['remedy']}") for one in found}
    return checks, done.returncode


def test_a_worker_that_is_killed_is_begun_again(served: Served) -> None:
    worker = served.process_of("prefect worker start")
    assert worker is not None
    os.kill(worker, signal.SIGKILL)
    run = served.ended(served.begin("nightly"))
    assert run["state_name"] in ("Passed", "GateFailed"), "after what is in place by now"
    assert any("worker: ended with exit code -9, is begun again" in line for line in served.lines)
    work = served.nights()[-1]["outcomes"][0]["work"]
    assert (work["computed"], work["reused"]) == (0, 4), "nothing is computed twice"


def test_prune_is_a_deployment(served: Served) -> None:
    least = [f"retention.{rule}=0" for rule in ("days", "weeks", "months", "unused_days")]
    rules = [*least, "retention.newest=1"]
    nights = served.nights()
    run = served.ended(served.begin("prune", overrides=rules, delete=True))
    assert (run["state_name"], run["name"]) == ("Completed", "prune, by plan")
    assert "Removed " in run["state"]["message"]
    newest = {kind: night for night in nights for kind in (night["kind"],)}
    left = [night["name"] for night in served.nights()]
    assert left == sorted(night["name"] for night in newest.values()), "one of each kind"


def test_a_command_that_died_without_a_word_is_marked_crashed(served: Served, killed: str) -> None:
    ended = served.ended(killed, 200)
    assert ended["state_type"] == "CRASHED"
    assert "no heartbeat" in ended["state"]["message"]
    served.wait(lambda: served.told("Crashed", "no heartbeat"), 60, "a notification")


def test_a_killed_flow_and_a_killed_server_are_told_truthfully(served: Served) -> None:
    served.posted.clear()
    begun = served.begin("nightly", overrides=slowly(served.folder))
    there = set(served.root.glob("predictions/**/*.parquet"))
    served.wait(lambda: predictions(served, there), 60, "a first shard")
    # Only now: the process of the run before may take a while to end.
    flow = served.process_of("prefect.flow_engine") or served.process_of("prefect.engine")
    assert flow is not None
    os.kill(flow, signal.SIGKILL)
    run = served.ended(begun)
    assert run["state_type"] == "CRASHED"
    served.wait(lambda: served.told("Crashed"), 60, "a notification")
    kept = len(predictions(served, there))

    # Another deployment: Prefect frees the place of a crashed run only after some minutes.
    begun = served.begin("reprocess", overrides=slowly(served.folder))
    served.wait(lambda: len(predictions(served, there)) > kept, 90, "a further shard")
    server = served.process_of("prefect server start")
    assert server is not None
    os.kill(server, signal.SIGKILL)
    run = served.ended(begun, 180)
    assert run["state_name"] in ("GateFailed", "Inconclusive"), run["state"]
    work = served.nights()[-1]["outcomes"][0]["work"]
    assert (work["computed"], work["reused"]) == (4 - kept, kept), "nothing is computed twice"
    assert any("Prefect server: ended with exit code -9" in line for line in served.lines)


def predictions(served: Served, before: set[Path]) -> set[Path]:
    return set(served.root.glob("predictions/**/*.parquet")) - before


def test_ctrl_c_ends_everything(served: Served) -> None:
    os.kill(served.process.pid, signal.SIGINT)
    served.process.wait(60)
    assert [command for _, command in members(served.folder)] == []
    assert any("worker: ended" in line for line in served.lines)
    checks, exit_code = doctor(served)
    state, said = checks["Prefect server"]
    assert (state, exit_code) == ("fault", 1)
    assert "does not answer" in said
    assert "start it (prefect server start)" in said
