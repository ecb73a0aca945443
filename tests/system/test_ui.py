"""A night, then the Prefect UI on its history in a real browser, and the report beside it."""

import re
import socket
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import CHROMIUM, browsing, watch
from tests.system.conftest import Start

PLAN = Path(__file__).parents[1] / "plans" / "small.yaml"


@pytest.fixture
def reports_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_the_run_and_its_report_can_be_looked_at(
    start: Start, tmp_path: Path, free_port: int, reports_port: int
) -> None:
    reports = f"http://127.0.0.1:{reports_port}"
    night = start("night", PLAN, NIGHTMARK_RUNTIME__REPORTS_URL=reports)
    printed, _ = night.communicate()
    assert night.returncode == 0, printed
    ports = ("--port", free_port, "--reports-port", reports_port)
    server = start("ui", "--home", tmp_path / "prefect", *ports)
    assert server.stdout is not None
    assert server.stdout.readline() == f"Reports: {reports}/\n"
    line = server.stdout.readline()
    found = re.search(r"http://127\.0\.0\.1:\d+/v2/runs/flow-run/[0-9a-f-]+", line)
    assert found is not None, line
    with browsing() as browser:
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        check_run(page, found.group(), tmp_path)
        check_artifacts(page, f"http://127.0.0.1:{free_port}/v2/artifacts", tmp_path)
        [name] = [path.name for path in tmp_path.glob("root/nights/2*")]
        page.goto(f"{reports}/")
        page.get_by_role("link", name=re.compile("UTC")).first.click()
        assert page.url == f"{reports}/{name}/index.html"
        expect(page.get_by_text("95.0 %").first).to_be_visible()
        expect(page.locator(".js-plotly-plot").first).to_be_visible()
        watched = watch(browser)
        check_report(watched.page, tmp_path / "root" / "nights" / name / "index.html", tmp_path)
        watched.check()


def check_run(page: Page, url: str, shots: Path) -> None:
    page.goto(url)
    passed = page.get_by_text("Passed", exact=True).filter(visible=True)
    expect(passed.first).to_be_visible(timeout=60_000)
    expect(page.get_by_text("night of small").filter(visible=True).first).to_be_visible()
    page.screenshot(path=shots / "run.png")
    page.get_by_role("tab", name="Subflow Runs").click()
    expect(page.get_by_text("cifar10 x resnet8").first).to_be_visible(timeout=30_000)
    page.get_by_role("tab", name="Artifacts").click()
    expect(page.get_by_text("night", exact=True).first).to_be_visible(timeout=30_000)
    page.screenshot(path=shots / "run-artifacts.png")


def check_artifacts(page: Page, url: str, shots: Path) -> None:
    """The verdict, the worst classes, the picture and the way to the report are in the UI."""
    for key, wanted in (
        ("night", "PASSED: Yes, it passed"),
        ("worst-classes", "Recall"),
        ("report", "Report of"),
        ("confusion-cifar10-test-resnet8", "rows are what the images show"),
    ):
        page.goto(f"{url}/key/{key}")
        page.locator('a[href*="/artifacts/artifact/"]').first.click()
        expect(page.get_by_text(wanted).first).to_be_visible(timeout=30_000)
        page.screenshot(path=shots / f"artifact-{key}.png")
    expect(page.locator('img[src^="data:image/png"]').first).to_be_visible()


def check_report(page: Page, report: Path, shots: Path) -> None:
    """The night and its pair from the file system, without an error or a request to anywhere."""
    page.goto(report.as_uri())
    expect(page.get_by_text("95.0 %").first).to_be_visible()
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    page.screenshot(path=shots / "night.png", full_page=True)
    page.get_by_role("link", name=re.compile("resnet8")).first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("resnet8")
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    page.screenshot(path=shots / "evaluation.png", full_page=True)
