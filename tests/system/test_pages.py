"""Every page of every kind of night in a real browser: no error, no request, nothing runs."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from shards.store import Store
from tasks.comparisons import read_comparison
from tasks.metrics.comparison_words import changed_classes
from tasks.metrics.words import PLAIN, metric_title
from tasks.report.compare_page import write_comparison_page
from tasks.report.history import read_history
from tasks.stored import finished_nights
from tests.support import nights_to_open
from tests.support.browser import DESKTOP, PHONE, browsing, watch
from tests.support.nights_to_open import Opened, bad_night

PAPER = {"width": 688, "height": 1000}
"""Pixels of a sheet of A4 within its margins."""
NIGHTS = {
    "bad": nights_to_open.bad_night,
    "empty": nights_to_open.empty_night,
    "incomplete": nights_to_open.incomplete_night,
    "first": nights_to_open.first_night,
    "thousand": nights_to_open.thousand_classes,
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as opened:
        yield opened


@pytest.fixture(scope="module", params=list(NIGHTS))
def night(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    return NIGHTS[request.param](tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    """For tests that change nothing of it."""
    return bad_night(tmp_path_factory.mktemp("bad"))


def pages_of(night: Opened) -> list[Path]:
    found = [night.history, night.index]
    for outcome in night.night.outcomes:
        report = night.report(outcome.pair)
        found += [report] if report.exists() else []
    return found


def test_pages_are_faultless_and_accessible_and_fit_a_phone(
    browser: Browser, night: Opened
) -> None:
    watched = watch(browser)
    for file in pages_of(night):
        watched.page.set_viewport_size(DESKTOP)
        watched.open(file)
        for theme in ("light", "dark"):
            watched.set_theme(theme)
            assert watched.violations() == [], (file, theme)
        watched.page.set_viewport_size(PHONE)
        width = watched.page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["width"], file
    watched.check()
    watched.page.context.close()


def test_paper_is_light_and_cuts_nothing(browser: Browser, night: Opened) -> None:
    watched = watch(browser, theme="dark", size=PAPER)
    page = watched.page
    for file in pages_of(night):
        watched.open(file)
        page.emulate_media(media="print")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        # White page, dark ink, although the system and the page are dark.
        assert (
            page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        )
        assert page.evaluate("getComputedStyle(document.body).color") == "rgb(29, 33, 38)"
        assert page.evaluate("document.documentElement.scrollWidth") <= PAPER["width"], file
        cut = page.evaluate(
            "[...document.querySelectorAll('.scroll, .chart')].filter((box) => "
            "box.scrollWidth > box.clientWidth + 1 || box.scrollHeight > box.clientHeight + 1)"
            ".map((box) => box.outerHTML.slice(0, 200))"
        )
        assert cut == [], file
        shut = "[...document.querySelectorAll('details:not([open])')]"
        assert page.evaluate(f"{shut}.filter((part) => part.checkVisibility()).length") == 0
        page.emulate_media(media="screen")
    watched.check()
    page.context.close()


def test_the_switch_remembers_and_follows_the_system_again(
    browser: Browser, tmp_path: Path
) -> None:
    night = nights_to_open.first_night(tmp_path)
    watched = watch(browser, theme="light")
    page = watched.page
    watched.open(night.index)

    def shown() -> str:
        return str(page.evaluate("document.documentElement.dataset.theme"))

    assert shown() == "light"
    page.get_by_role("button", name="Show on dark").click()
    assert shown() == "dark"
    page.reload()
    assert shown() == "dark"
    page.get_by_role("button", name="Show on light").click()
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("document.documentElement.dataset.theme === 'dark'")
    watched.check()
    page.context.close()


def test_receipts_are_copied_and_points_lead_to_their_nights(browser: Browser, bad: Opened) -> None:
    night = bad
    watched = watch(browser)
    page = watched.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    watched.open(night.index)
    receipt = page.locator("details.receipt").filter(has_text="Where these figures come from")
    receipt.locator("summary").click()
    receipt.get_by_role("button", name="Copy").click()
    receipt.get_by_role("button", name="Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == receipt.locator("code").text_content()
    plot = page.locator("[id='trend-cifar10/test/resnet20']")
    plot.scroll_into_view_if_needed()
    # Events of the mouse reach Plotly's own layer, so a click lands where the point is drawn.
    point = plot.locator(".scatterlayer .point").first.bounding_box()
    assert point is not None
    page.mouse.move(point["x"] + point["width"] / 2, point["y"] + point["height"] / 2)
    page.wait_for_timeout(200)
    page.mouse.down()
    page.mouse.up()
    page.wait_for_url("**/20261120t020000z-n0/index.html")
    watched.check()
    page.context.close()


def test_a_night_that_is_sent_alone_leads_nowhere_else(browser: Browser, tmp_path: Path) -> None:
    night = nights_to_open.bad_night(tmp_path / "root")
    home = watch(browser)
    home.open(night.index)
    assert home.page.get_by_role("link", name="All nights").is_visible()
    assert home.page.get_by_text("A point leads to its night").is_visible()
    home.check()
    home.page.context.close()

    sent = tmp_path / "mail" / night.night.name
    shutil.copytree(night.pages, sent)
    watched = watch(browser)
    page = watched.page
    watched.open(sent / "index.html")
    assert page.get_by_text("This night alone").is_visible()
    leading_out = (
        "[...document.links].filter((a) => a.checkVisibility() && a.href.includes('mail'))"
    )
    hrefs = page.evaluate(f"{leading_out}.map((a) => a.href)")
    assert hrefs
    assert all(href.startswith(sent.as_uri()) for href in hrefs)
    assert not page.get_by_text("A point leads to its night").is_visible()
    plot = page.locator("[id='trend-cifar10/test/resnet20']")
    plot.scroll_into_view_if_needed()
    plot.locator(".scatterlayer .point").first.click(force=True)
    page.get_by_role("link", name="resnet20 on cifar10/test").first.click()
    page.wait_for_url("**/report.html")
    watched.settle()
    page.get_by_role("link", name="The whole night").click()
    page.wait_for_url((sent / "index.html").as_uri())
    watched.settle()
    watched.check()
    page.context.close()


def test_trends_show_the_metric_that_is_chosen_and_the_address_remembers_it(
    browser: Browser, bad: Opened
) -> None:
    store = Store.at(bad.folder)
    history = read_history(store, finished_nights(store))
    watched = watch(browser)
    page = watched.page
    watched.open(bad.history)
    title = page.locator("#metric-title")

    def is_shown(metric: str) -> None:
        title.filter(has_text=metric_title(metric)).wait_for()
        unit = 1 if metric in PLAIN else 100
        for pair, points in history.overall(metric).items():
            values = [unit * point.value for point in points if point.value is not None]
            if values:
                plot = page.locator(f"[id='trend-{pair}']")
                drawn = plot.evaluate("plot => plot.data[0].y.filter((value) => value !== null)")
                assert drawn == pytest.approx(values, rel=1e-4)
        assert f"metric = '{metric}'" in (page.locator(".receipt code").text_content() or "")

    page.get_by_label("Metric", exact=True).focus()
    page.keyboard.type("Macro F1")
    is_shown("macro_f1")
    assert page.url.endswith("#metric=macro_f1")
    page.reload()
    watched.settle()
    is_shown("macro_f1")
    page.evaluate("location.hash = '#metric=nll'")
    is_shown("nll")
    assert page.get_by_label("Metric", exact=True).input_value() == "nll"
    page.evaluate("location.hash = '#metric=micro_f1'")
    is_shown("micro_f1")
    page.evaluate("location.hash = '#metric=constructor'")
    is_shown("top1")
    watched.check()
    page.context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_comparison_answers_first_sorts_and_filters(
    browser: Browser, bad: Opened, theme: str
) -> None:
    night = bad
    store = Store.at(bad.folder)
    note = night.night.outcomes[0].comparison
    assert note is not None
    comparison = read_comparison(store, night.night.outcomes[0].pair.name, note.comparison or "")
    watched = watch(browser, theme=theme)
    watched.open(Path(write_comparison_page(store, comparison)))
    page = watched.page
    assert "is worse than" in page.locator(".banner").inner_text()
    first = page.locator("#class-table tbody tr th").first
    worst = first.inner_text()
    page.locator("#class-table thead").get_by_role("button", name="Points").click()
    assert first.inner_text() != worst or len(comparison.per_class) < 2
    page.locator("#class-table thead").get_by_role("button", name="q").click()
    cells = page.locator("#class-table tbody tr td:nth-child(9)")
    corrected = cells.evaluate_all("cells => cells.map((cell) => Number(cell.dataset.value))")
    assert corrected == sorted(change.q for change in comparison.per_class)
    claimed = page.locator("#class-table .badge.passed, #class-table .badge.failed").count()
    assert f", {claimed} ha" in page.locator("#classes + p").inner_text()
    assert claimed == len(changed_classes(comparison)) > 0
    answers = page.locator("#broken ~ .shots .shot").first.locator("dd")
    assert [text[0] for text in answers.all_inner_texts()] == ["✕", "✓"]
    page.get_by_label("Filter classes").fill("dog")
    assert page.locator("#class-table tbody tr:visible").count() == 1
    assert page.locator("#broken ~ .shots .shot").count() == min(comparison.broken, 50)
    assert watched.violations() == []
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.set_viewport_size(PAPER)
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth") <= PAPER["width"]
    watched.check()
    page.context.close()
