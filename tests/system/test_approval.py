"""What passed waits for a person while nights go on: a real server on PostgreSQL, and a worker."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.support.browser import DESKTOP, browsing
from tests.support.postgres import postgres
from tests.support.served import REPOSITORY, Served, serving
from tests.system.conftest import some_free_port

NEVER = "0 0 1 1 *"
WORKING = "prefect.flow_engine", "prefect.engine"
SECOND = 1 / (24 * 60 * 60)


@pytest.fixture
def served(tmp_path: Path, free_port: int) -> Any:
    text = (REPOSITORY / "tests" / "plans" / "small.yaml").read_text()
    text = text.replace("../../", f"{REPOSITORY}/")
    plan = tmp_path / "plan.yaml"
    plan.write_text(f"promotion: approval\n{text}")
    with postgres(some_free_port()) as database:
        where = {"PREFECT_SERVER_DATABASE_CONNECTION_URL": database}
        with serving(tmp_path, plan, free_port, NEVER, **where) as begun:
            yield begun


def in_state(served: Served, name: str) -> dict[str, Any] | None:
    return next((run for run in served.runs("approve") if run["state_name"] == name), None)


def answer_in_the_browser(served: Served, run: dict[str, Any]) -> dict[str, Any]:
    """The run, once it has ended."""
    with browsing() as browser:
        page = browser.new_page(viewport=DESKTOP)
        page.goto(f"{served.base}/v2/runs/flow-run/{run['id']}")
        page.get_by_role("button", name="Open menu").click(timeout=60_000)
        page.get_by_role("menuitem", name="Resume").click()
        form = page.get_by_role("dialog")
        expect(form.get_by_text("passed every gate that counts")).to_be_visible(timeout=30_000)
        form.get_by_role("button", name="Select Decision").click()
        page.get_by_role("option", name="approve").click()
        form.get_by_label("Who").fill("Ada")
        form.get_by_label("Why").fill("as I hoped")
        page.screenshot(path=served.folder / "form.png")
        form.get_by_role("button", name="Resume").click()
        ended = served.ended(run["id"])
        page.reload()
        expect(page.get_by_text("Approved", exact=True).first).to_be_visible(timeout=60_000)
        page.screenshot(path=served.folder / "approved.png")
    return ended


def test_a_night_asks_and_a_person_answers(served: Served) -> None:
    assert not (served.folder / "prefect" / "prefect.db").exists(), "history is in PostgreSQL"
    assert served.ended(served.begin("nightly"))["state_name"] == "Passed"
    run = served.wait(lambda: in_state(served, "Suspended"), 60, "the run that asks")
    served.wait(
        lambda: not any(served.process_of(words) for words in WORKING),
        60,
        "the process of the run that waits to end",
    )
    # Meanwhile somebody is asked who has a second, and does not answer.
    hasty = served.begin("approve", **run["parameters"], days=SECOND)
    again = served.ended(served.begin("nightly"))
    assert again["state_name"] == "Passed", "nights do not wait for the answer"
    asked = {one["id"] for one in served.runs("approve")}
    assert asked == {run["id"], hasty}, "nobody is asked twice about one evaluation"
    unanswered = served.wait(lambda: in_state(served, "Unanswered"), 60, "the time to be over")
    assert unanswered["id"] == hasty
    assert unanswered["state_type"] == "FAILED"
    assert "nothing was decided" in unanswered["state"]["message"]
    served.wait(lambda: served.told("was not answered in time"), 30, "word of it")
    (told,) = served.told("was not answered in time")
    assert f"cifar10/test/resnet8@{run['parameters']['night']}` approves it" in told
    assert not list(served.root.glob("decisions/**/*.json"))

    ended = answer_in_the_browser(served, run)
    assert ended["state_name"] == "Approved", ended["state"]
    assert "Ada: as I hoped" in ended["state"]["message"]
    (decision,) = served.root.glob("decisions/cifar10/test/resnet8/*.json")
    assert '"Ada"' in decision.read_text()
