"""The folder of a night and the page of all nights, as they lie in a store."""

import json
import re
from pathlib import Path

import pytest

from shards.store import Store
from tasks.health.finding import Finding
from tasks.layout import HISTORY_PAGE, night_folder, night_metrics
from tasks.night import Outcome
from tasks.records import Pair
from tasks.report import pages
from tasks.report.history import read_history
from tasks.report.overview import build_overview
from tasks.report.pages import compose_report, write_history, write_night
from tasks.stored import finished_nights
from tests.support.nights_to_open import Opened, bad_night, empty_night
from tests.support.stored import store_night


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    return bad_night(tmp_path_factory.mktemp("bad"))


def test_the_history_leads_to_every_night_and_has_every_verdict(bad: Opened) -> None:
    store = Store.at(bad.folder)
    names = finished_nights(store)
    page = bad.history.read_text()
    for name in names:
        assert f'href="{name}/index.html"' in page
    overview = build_overview(read_history(store, names))
    assert [row.trend.model for row in overview.grid] == [
        *("resnet20", "lost", "cut", "small", "resnet56"),
    ]
    assert [cell and cell.state.state for cell in overview.grid[0].cells] == [
        *(["passed"] * 6),
        "failed",
    ]
    assert [cell and cell.state.state for cell in overview.grid[1].cells] == [
        *([None] * 6),
        "unusable",
    ]
    newest = overview.nights[0]
    assert [(word.state, count) for word, count in newest.tally] == [
        (state, 1) for state in ("failed", "unusable", "incomplete", "inconclusive", "passed")
    ]
    assert "not measured" not in {trend.latest for trend in overview.trends}


def test_the_history_reads_the_tables_of_nights_alone(bad: Opened) -> None:
    store = Store.at(bad.folder)
    before = store.read(HISTORY_PAGE)
    hidden = [path for path in bad.folder.iterdir() if path.name != "nights"]
    for path in hidden:
        path.rename(path.with_name(f"{path.name}-away"))
    try:
        write_history(store)
    finally:
        for path in hidden:
            path.with_name(f"{path.name}-away").rename(path)
    assert store.read(HISTORY_PAGE) == before


def test_a_night_that_ends_meanwhile_is_taken_in(
    bad: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = finished_nights(Store.at(bad.folder))
    seen = iter([names[:-1], names, names])
    monkeypatch.setattr(pages, "finished_nights", lambda _: next(seen))
    write_history(Store.at(bad.folder))
    assert names[-1] in bad.history.read_text()


def test_a_damaged_table_is_named_on_the_page(tmp_path: Path) -> None:
    night = empty_night(tmp_path)
    store = Store.at(tmp_path)
    store.publish(night_metrics(night.night.name), b"no table")
    write_history(store)
    page = night.history.read_text()
    assert "metrics.parquet is not readable" in page
    assert str(tmp_path) not in page


def test_sentences_of_a_night_name_no_folder_of_the_machine(tmp_path: Path) -> None:
    store = Store.at(tmp_path)
    there = store.locate("shards/photos/val/r1/photos-val-000000.tar")
    lost = Outcome(
        pair=Pair(dataset="photos", split="val", model="net"),
        state="unusable",
        message=f"shard {there} is missing; remove its folder and build the shards again",
        findings=(Finding.not_checked("leakage", f"{there} is missing."),),
    )
    night = store_night(store, 0, lost)
    write_night(store, compose_report(store, night, {}))
    folder = tmp_path / night_folder(night.name)
    for name in ("index.html", "summary.md", "junit.xml"):
        said = (folder / name).read_text()
        assert "shard shards/photos/val/r1/photos-val-000000.tar is missing" in said, name
        assert str(tmp_path) not in said, name


def test_without_a_night_the_page_says_how_to_get_one(tmp_path: Path) -> None:
    write_history(Store.at(tmp_path))
    assert "nightmark night plan.yaml" in (tmp_path / HISTORY_PAGE).read_text()


def test_a_night_carries_its_trend_and_what_changed(bad: Opened) -> None:
    page = bad.index.read_text()
    assert "The last 7 nights" in page
    assert len(re.findall(r'class="trend"', page)) == 2
    for sentence in ("Failed now, passed on 25 November.", "The model is another version than on"):
        assert sentence in page


def test_every_link_of_a_page_leads_to_a_file(bad: Opened) -> None:
    pages_there = [bad.history, *bad.pages.rglob("*.html")]
    assert len(pages_there) == 5
    for page in pages_there:
        for link in re.findall(r'(?:href|src)="([^"#]+)"', page.read_text()):
            assert link == "data:," or (page.parent / link).is_file(), (page, link)


def test_the_twins_of_a_pair_say_what_its_scoring_says(bad: Opened) -> None:
    outcome = bad.night.outcomes[0]
    folder = bad.report(outcome.pair).parent
    stored = bad.folder / outcome.pair.name.scoring(outcome.scoring or "") / "metrics.json"
    assert (folder / "metrics.json").read_bytes() == stored.read_bytes()
    assert (folder / "classes.csv").read_text().count("\n") == 11


def test_each_figure_of_the_night_is_that_of_metrics_json(bad: Opened) -> None:
    page = bad.index.read_text()
    for outcome in bad.night.outcomes:
        if outcome.scoring is None:
            continue
        record = json.loads((bad.report(outcome.pair).parent / "metrics.json").read_text())
        top1 = next(metric for metric in record["overall"] if metric["name"] == "top1")
        value, low, high = (f"{100 * top1[name]:.1f}" for name in ("value", "low", "high"))
        assert f'{value} % <span class="interval">[{low}, {high}]</span>' in page
