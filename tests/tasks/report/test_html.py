"""Pages that need only the files beside them, show every figure, and run no foreign markup."""

import re
from html.parser import HTMLParser
from posixpath import dirname, join, normpath

import pytest

from tasks.metrics.metric import STATE_SENTENCES
from tasks.night import Outcome
from tasks.records import Pair
from tasks.report.assets import ASSETS, asset_files
from tasks.report.build import build_report
from tasks.report.history import History, metrics_table
from tasks.report.html import INDEX_PAGE, evaluation_page, night_page
from tests.tasks.report.nights import MISSING, NightCase, cifar, make_night

TWINS = ("summary.md", "junit.xml", "metrics.parquet", "night.json", "metrics.json", "classes.csv")


class Page(HTMLParser):
    """The text outside scripts, what is referred to, and the elements that were opened."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.references: list[str] = []
        self.opened: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self._silent = ""
        self.feed(markup)

    def handle_starttag(self, tag, attrs) -> None:
        self.opened.append((tag, dict(attrs)))
        self.references += [value for name, value in attrs if name in ("src", "href")]
        self._silent = tag if tag in ("script", "style") else self._silent

    def handle_endtag(self, tag) -> None:
        self._silent = "" if tag == self._silent else self._silent

    def handle_data(self, data) -> None:
        if self._silent == "script":
            self.scripts.append(data)
        if not self._silent:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def pages(case: NightCase) -> dict[str, Page]:
    report = case.report
    found = {view.href: Page(evaluation_page(report, view.pair)) for view in report.pairs}
    return {INDEX_PAGE: Page(night_page(report)), **found}


def test_every_reference_leads_to_a_file_of_the_night(pages: dict[str, Page]) -> None:
    there = {*pages, *(f"{ASSETS}/{name}" for name in asset_files())}
    for place, page in pages.items():
        for reference in page.references:
            if reference in TWINS:
                continue  # tests of pages see these where they lie
            # The empty icon keeps browsers from asking for one; the history lies beside the nights.
            if reference not in ("data:,", "../index.html"):
                assert normpath(join(dirname(place), reference)) in there, (place, reference)


def test_no_page_loads_anything_from_elsewhere(case: NightCase) -> None:
    report = case.report
    for markup in (night_page(report), evaluation_page(report, cifar("bad"))):
        assert not re.search(r"""(src|href)\s*=\s*["']?\s*(https?:)?//""", markup)
        assert "url(" not in markup
        assert "@import" not in markup


def test_the_night_shows_every_pair_with_its_figures_and_reason(
    case: NightCase, pages: dict[str, Page]
) -> None:
    text = pages[INDEX_PAGE].text
    for view in case.report.pairs:
        assert (view.href in pages[INDEX_PAGE].references) == (view.scoring is not None)
        assert view.sentence in text
        assert view.state.meaning in text
        if view.top1.defined:
            assert str(view.top1) in text
            assert str(view.top5) in text
    assert MISSING in text
    assert case.report.headline in text
    assert "9 shards 3 shards 4,500 images 37.5 s" in text
    assert all(f"{term} {fact}" in text for term, fact in case.report.provenance)


def test_a_pairs_page_shows_every_figure(case: NightCase, pages: dict[str, Page]) -> None:
    for view in case.report.pairs:
        text = pages[view.href].text
        assert view.sentence in text
        for row in view.overall:
            assert f"{row.figure} {row.n} {row.method}" in text
        for row in view.classes:
            assert row.areas is None, "these nights keep no scores"
            assert f"{row.recall} {row.precision} {row.f1} {row.support}" in text
        assert "Average precision" not in text.replace("Macro average precision", "")
        for finding in view.findings:
            assert finding.demand in text
            assert finding.sentence in text
        for pairing in view.confused:
            wanted = (pairing.target, pairing.prediction, pairing.count, pairing.share)
            assert " ".join(wanted) in text
        assert all(f"{term} {fact}" in text for term, fact in view.inputs)


def test_hostile_names_stay_text(case: NightCase, pages: dict[str, Page]) -> None:
    page = pages[case.report.of(cifar("bad")).href]
    assert "<script>alert('a')</script>" in page.text
    assert not any("<script" in script for script in page.scripts)
    # The policy lets scripts of files run alone; what a page carries along is no script.
    for tag, attributes in page.opened:
        assert tag != "script" or "src" in attributes or attributes["type"] == "application/json"
        assert not any(name.startswith("on") for name in attributes)
    assert "b" not in {tag for tag, _ in pages[INDEX_PAGE].opened}


def test_absent_classes_have_their_state(pages: dict[str, Page]) -> None:
    assert STATE_SENTENCES["absent_class"] in pages["photos/val/broad/report.html"].text


def test_charts_are_drawn_where_they_can_be_read(
    pages: dict[str, Page], thousand: NightCase
) -> None:
    assert _charts(pages[INDEX_PAGE]) == {"top1-chart"}
    all_four = {"recall-chart", "confusion-chart", "reliability-chart", "risk-chart"}
    assert _charts(pages["cifar10/test/bad/report.html"]) == all_four
    assert _charts(pages["cifar10/test/lost/report.html"]) == set()
    wide = evaluation_page(thousand.report, thousand.pair("wide"))
    assert _charts(Page(wide)) == all_four
    assert "of 1,000 classes have samples; the others are not listed." in wide


def test_tables_and_headings_are_accessible(pages: dict[str, Page]) -> None:
    for page in pages.values():
        tags = [tag for tag, _ in page.opened]
        assert tags.count("h1") == tags.count("main") == 1
        assert tags.count("table") == tags.count("caption")
        assert all("scope" in attributes for tag, attributes in page.opened if tag == "th")
        ids = [attributes["id"] for _, attributes in page.opened if "id" in attributes]
        assert len(ids) == len(set(ids))
        named = {a["aria-labelledby"] for _, a in page.opened if "aria-labelledby" in a}
        assert named <= set(ids)


def test_an_empty_night_has_a_page() -> None:
    text = Page(night_page(build_report(make_night(()), {}))).text
    assert "Nothing was evaluated" in text
    assert "No model of the plan belongs to any of its datasets." in text
    assert "Name a dataset of the plan in datasets of a model" in text
    assert "What the words mean" not in text


def test_an_unmeasured_night_shows_no_table_of_nothing() -> None:
    cut = Outcome(pair=cifar("cut"), state="incomplete", message="2 of 4 shards are missing")
    page = Page(night_page(build_report(make_night((cut,)), {})))
    assert {"figures", "inputs"}.isdisjoint(attributes.get("id") for _, attributes in page.opened)
    assert "2 of 4 shards are missing" in page.text
    assert "This is the first night" in page.text
    known = cut.model_copy(update={"fingerprint": "f1n2"})
    assert "What was measured" in Page(night_page(build_report(make_night((known,)), {}))).text


def test_a_model_that_is_new_stands_among_what_changed(case: NightCase) -> None:
    """A night before had another pair alone."""
    other = Outcome(pair=cifar("other"), state="incomplete", message="cut")
    night = make_night((other,)).model_copy(update={"name": "20261101t020000z-n1"})
    earlier = History(metrics_table(night, {}), (night.name,))
    text = Page(night_page(build_report(case.night, case.scorings, earlier=earlier))).text
    assert text.count("New: it was not on the night before.") == len(case.night.outcomes)
    assert "as on the nights before" not in text


def test_a_foreign_pair_has_no_page(case: NightCase) -> None:
    with pytest.raises(KeyError):
        evaluation_page(case.report, Pair(dataset="a", split="b", model="c"))


def test_pages_are_the_same_each_time(case: NightCase) -> None:
    assert night_page(case.report) == night_page(case.report)
    pair = cifar("bad")
    assert evaluation_page(case.report, pair) == evaluation_page(case.report, pair)


def _charts(page: Page) -> set[str | None]:
    return {a["id"] for tag, a in page.opened if tag == "div" and "data-chart" in a}
