"""Clicking through the page of an evaluation: from figures to the images behind them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tasks.report.assets import put_script
from tests.support.browser import browsing, watch
from tests.support.nights_to_open import (
    HOSTILE,
    Opened,
    bad_night,
    first_night,
    leaked_night,
    thousand_classes,
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as opened:
        yield opened


@pytest.fixture(scope="module")
def thousand(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    """Fifty images of each class, as ImageNet's validation set has them."""
    return thousand_classes(tmp_path_factory.mktemp("thousand"), per_class=50)


def number(text: str) -> int:
    found = re.match(r"[\d,]+", text)
    assert found is not None, text
    return int(found[0].replace(",", ""))


def said(page: Page) -> str:
    return page.locator("#pictures-said").inner_text()


def wait_until_said(page: Page, words: str) -> None:
    page.locator("#pictures-said").filter(has_text=words).wait_for()


def test_a_thousand_classes_are_gone_into_and_lead_to_images(
    browser: Browser, thousand: Opened
) -> None:
    pair = thousand.night.outcomes[0].pair
    file = thousand.report(pair)
    assert file.stat().st_size < 3_000_000
    scoring = json.loads((file.parent / "metrics.json").read_text())
    assert scoring["n"] == 50_000
    names = scoring["class_names"]
    cells = {tuple(cell[:2]): cell[2] for cell in scoring["confusion"]}
    watched = watch(browser)
    watched.open(file)
    page = watched.page
    page.get_by_label("Go to class").fill("golden retriever")
    page.keyboard.press("Tab")
    page.get_by_text("Each field is one class taken for another").wait_for()
    row = page.locator("#confused ~ div tbody tr").first
    target, prediction = (row.locator("th").inner_text(), row.locator("td").first.inner_text())
    row.get_by_role("button").click()
    wait_until_said(page, "taken")
    cell = (names.index(target), names.index(prediction))
    assert number(said(page)) == cells[cell] == page.locator("#pictures > li").count()
    page.get_by_label("Show", exact=True).select_option("worst")
    wrong = scoring["n"] - sum(count for (t, p), count in cells.items() if t == p)
    wait_until_said(page, "surest")
    assert number(said(page)) == wrong
    page.get_by_label("Filter classes").fill("retriever golden")
    assert page.locator("#class-table tbody tr:visible").count() == 1
    assert page.locator("#class-table .spark").count() == len(names)
    page.emulate_media(media="print")
    assert page.locator("#class-table tbody tr:visible").count() == 1
    page.emulate_media(media="screen")
    page.get_by_label("Filter classes").fill("")
    page.emulate_media(media="print")
    assert page.locator("#class-table tbody tr:visible").count() == 100
    assert page.get_by_text("On paper: the first 100 rows of 1,000").is_visible()
    watched.check()
    page.context.close()


def test_a_field_of_a_small_matrix_shows_its_images_and_names_run_nothing(
    browser: Browser, tmp_path: Path
) -> None:
    night = bad_night(tmp_path)
    pair = night.night.outcomes[0].pair
    scoring = json.loads((night.report(pair).parent / "metrics.json").read_text())
    watched = watch(browser)
    watched.open(night.report(pair))
    page = watched.page
    plot = page.locator("#confusion-chart")
    plot.scroll_into_view_if_needed()
    area = plot.locator(".nsewdrag").first.bounding_box()
    assert area is not None
    # Row 3, column 5: cats that are taken for dogs.
    side = len(scoring["class_names"])
    page.mouse.move(area["x"] + area["width"] * 5.5 / side, area["y"] + area["height"] * 3.5 / side)
    page.wait_for_timeout(300)
    page.mouse.down()
    page.mouse.up()
    wait_until_said(page, "of cat taken for dog")
    count = next(count for t, p, count in scoring["confusion"] if (t, p) == (3, 5))
    assert number(said(page)) == count
    page.get_by_label("Show", exact=True).select_option("class")
    page.get_by_label("Class", exact=True).select_option(HOSTILE)
    wait_until_said(page, "<script>")
    sort = page.locator("#class-table thead").get_by_role("button", name="Images")
    sort.click()
    column = page.locator("#class-table tbody tr td:nth-child(5)").all_inner_texts()
    assert [number(text) for text in column] == sorted(scoring["support"], reverse=True)
    watched.check()
    page.context.close()


def test_no_probability_is_rounded_to_certainty(browser: Browser, tmp_path: Path) -> None:
    night = first_night(tmp_path)
    file = night.report(night.night.outcomes[0].pair)
    shares = [1.0, 0.9999, 0.9962, 0.994, 0.5, 0.0996, 0.0041, 0.0003, 0.0]
    row = ["key", 0, [1, 0, *range(2, len(shares))], shares, "", ""]
    (file.parent / "mistakes-0.js").write_bytes(put_script("mistakes-0", [row]))
    watched = watch(browser)
    watched.open(file)
    page = watched.page
    page.locator("#images").scroll_into_view_if_needed()
    wait_until_said(page, "1 mistake")
    assert page.locator(".ranks li span:last-child").all_text_contents() == [
        *("100.0 %", "99.99 %", "99.6 %", "99 %", "50 %", "10 %", "0.4 %", "0.03 %", "0.0 %")
    ]
    watched.check()
    page.context.close()


def test_precision_is_traded_for_recall_with_a_slider(browser: Browser, tmp_path: Path) -> None:
    night = bad_night(tmp_path)
    pair = night.night.outcomes[0].pair
    scoring = json.loads((night.report(pair).parent / "metrics.json").read_text())
    watched = watch(browser)
    watched.open(night.report(pair))
    page = watched.page
    told = page.locator("#threshold-said")
    page.locator("#thresholds").scroll_into_view_if_needed()
    told.filter(has_text="recall").wait_for()
    page.get_by_label("Curve of class").select_option(label="dog")
    images = scoring["support"][scoring["class_names"].index("dog")]
    told.filter(has_text=f"of {images};").wait_for()
    before = told.inner_text()
    slider = page.get_by_label("Threshold")
    slider.focus()
    page.keyboard.press("End")
    lowest = told.inner_text()
    assert before != lowest
    assert f"recall 100.0 % ({images} of {images}" in lowest
    page.keyboard.press("Home")
    assert "precision" in told.inner_text() != lowest
    page.locator("#threshold-plot .main-svg").first.wait_for()
    slices = {one["slice"]: one for one in scoring["slices"] if one["name"] == "top1"}
    dots = page.locator("#slices-chart").evaluate(
        "plot => plot.data.slice(1).flatMap((dots) => dots.x)"
    )
    assert dots == pytest.approx([100 * one["value"] for one in slices.values()])
    assert page.get_by_text("Reliability: how often").count() == 1
    page.get_by_text("Where the figures of the classes come from").click()
    assert page.locator("#receipt-classes").is_visible()
    watched.check()
    page.context.close()


def test_a_leaked_image_stands_beside_its_copy(browser: Browser, tmp_path: Path) -> None:
    night = leaked_night(tmp_path)
    watched = watch(browser)
    watched.open(night.report(night.night.outcomes[0].pair))
    page = watched.page
    page.get_by_role("button", name="Images of: Training images in the test set").click()
    wait_until_said(page, "2 pairs of an image and its copy")
    card = page.locator("#pictures > li").filter(has_text="in seen/train")
    left, right = card.locator("img").all()
    boxes = left.bounding_box(), right.bounding_box()
    assert boxes[0] is not None
    assert boxes[1] is not None
    assert boxes[0]["y"] == boxes[1]["y"]
    assert boxes[0]["x"] + boxes[0]["width"] < boxes[1]["x"]
    for image in (left, right):
        assert image.evaluate("(image) => image.decode().then(() => image.naturalWidth)") == 5
    assert watched.violations() == []
    watched.check()
    page.context.close()
