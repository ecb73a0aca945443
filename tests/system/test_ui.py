"""A night, then the Prefect UI on its history in a real browser, and the report in it too."""

import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.system.conftest import Start

CHROMIUM = shutil.which("chromium")
PLAN = Path(__file__).parents[1] / "plans" / "small.yaml"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_the_run_and_its_report_can_be_looked_at(
    start: Start, tmp_path: Path, free_port: int
) -> None:
    night = start("night", PLAN)
    printed, _ = night.communicate()
    assert night.returncode == 0, printed
    server = start("ui", "--home", tmp_path / "prefect", "--port", free_port)
    assert server.stdout is not None
    line = server.stdout.readline()
    found = re.search(r"http://127\.0\.0\.1:\d+/v2/runs/flow-run/[0-9a-f-]+", line)
    assert found is not None, line
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        check_prefect(page, found.group(), tmp_path)
        report = next(tmp_path.glob("root/nights/*/index.html"))
        check_report(page, report, tmp_path)
        browser.close()


def check_prefect(page: Page, url: str, shots: Path) -> None:
    page.goto(url)
    expect(page.get_by_text("Passed").first).to_be_visible(timeout=60_000)
    expect(page.get_by_text("night of small").first).to_be_visible()
    page.screenshot(path=shots / "run.png")
    page.get_by_role("tab", name="Subflow Runs").click()
    expect(page.get_by_text("cifar10 x resnet8").first).to_be_visible(timeout=30_000)
    page.get_by_role("tab", name="Artifacts").click()
    expect(page.get_by_text("night", exact=True).first).to_be_visible(timeout=30_000)
    page.screenshot(path=shots / "artifacts.png")


def check_report(page: Page, report: Path, shots: Path) -> None:
    """Every page of the night from file://, without an error or a request to anywhere."""
    faults: list[str] = []
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda asked: faults.append(asked.url) if "http" in asked.url[:4] else None)
    page.goto(report.as_uri())
    expect(page.get_by_text("95.0 %").first).to_be_visible()
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    page.screenshot(path=shots / "night.png", full_page=True)
    page.get_by_role("link", name=re.compile("resnet8")).first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("resnet8")
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    page.screenshot(path=shots / "evaluation.png", full_page=True)
    assert not faults
