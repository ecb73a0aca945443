"""A page in a real browser that is at fault for any error, and for any request but of files."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
DESKTOP = {"width": 1400, "height": 1000}
PHONE = {"width": 390, "height": 844}
AXE = Axe()


@dataclass
class Watched:
    """A page, and what went wrong on it."""

    page: Page
    faults: list[str] = field(default_factory=list)

    def open(self, file: Path) -> None:
        """Open a file and wait until its charts are drawn."""
        self.page.goto(file.as_uri())
        self.settle()

    def settle(self) -> None:
        # Not wait_for_function: it evaluates again and again, which the page forbids.
        self.page.locator("[data-chart]:not([data-drawn])").first.wait_for(state="detached")

    def set_theme(self, theme: str) -> None:
        if self.page.evaluate("document.documentElement.dataset.theme") != theme:
            self.page.locator("button.theme").click()

    def violations(self) -> list[str]:
        """What axe-core finds: each rule that is broken, and the elements that break it."""
        # Of a long table the first rows stand for all. And it would fetch the style sheets to look
        # into them, which a file's page may not.
        rest = {"exclude": [["tbody tr:nth-child(n+20)"]]}
        found = AXE.run(self.page, rest, {"preload": False}).response["violations"]
        return [
            f"{rule['id']}: {rule['help']}: {[node['html'][:200] for node in rule['nodes'][:5]]}"
            for rule in found
        ]

    def check(self) -> None:
        """Raises AssertionError if anything went wrong since the page was opened."""
        assert not self.faults, self.faults


@contextmanager
def browsing() -> Iterator[Browser]:
    """A browser; the test is skipped where there is none."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


def watch(browser: Browser, *, theme: str = "light", size: dict[str, int] | None = None) -> Watched:
    """A fresh page of a system that prefers ``theme``; every fault is noted."""
    context = browser.new_context(viewport=size or DESKTOP, color_scheme=theme)
    watched = Watched(context.new_page())
    page, faults = watched.page, watched.faults
    page.on("console", lambda said: faults.append(said.text) if said.type != "log" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "request",
        lambda asked: (
            None
            if asked.url.startswith(("file:", "data:", "blob:"))
            else faults.append(f"request to {asked.url}")
        ),
    )
    page.on("requestfailed", lambda asked: faults.append(f"not found: {asked.url}"))
    page.on("dialog", lambda shown: (faults.append(f"dialog: {shown.message}"), shown.dismiss()))
    return watched
