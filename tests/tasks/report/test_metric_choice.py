"""The metrics that trends can be switched to: those of the nights' tables, and nothing else."""

import json
from pathlib import Path

import pytest

from shards.store import Store
from tasks.metrics.words import figure
from tasks.report.history import History, read_history
from tasks.report.html import history_page
from tasks.report.metric_choice import choices_json
from tasks.report.overview import build_overview
from tasks.report.words import interval_text
from tasks.stored import finished_nights
from tests.support.nights_to_open import Opened, bad_night, empty_night
from tests.tasks.report.test_html import Page


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    return bad_night(tmp_path_factory.mktemp("bad"))


@pytest.fixture(scope="module")
def history(bad: Opened) -> History:
    store = Store.at(bad.folder)
    return read_history(store, finished_nights(store))


def test_every_overall_metric_with_a_value_can_be_chosen_top1_first(history: History) -> None:
    rows = history.table.to_pylist()
    known = {
        row["metric"] for row in rows if row["scope"] == "overall" and row["value"] is not None
    }
    choices = build_overview(history).choices
    assert {choice.metric for choice in choices} == known
    assert choices[0].metric == "top1"
    assert {"top5", "macro_f1", "balanced_accuracy", "nll"} <= known


def test_the_page_carries_the_figures_of_the_tables(history: History) -> None:
    overview = build_overview(history)
    carried = json.loads(choices_json(overview.choices))
    for metric in ("macro_f1", "nll"):
        series = history.overall(metric)
        for trend in overview.trends:
            values, down, up, texts, caption = carried[metric]["lines"][trend.id]
            unit = 1 if metric == "nll" else 100
            points = {point.night: point for point in series[trend.pair]}
            assert len(values) == len(trend.points)
            for place, night in enumerate(point.night for point in trend.points):
                point = points[night]
                assert point.value is not None
                assert values[place] == pytest.approx(unit * point.value, rel=1e-4)
                assert point.low is not None
                assert down[place] == pytest.approx(unit * (point.value - point.low), rel=0.01)
                assert up[place] >= 0
                ends = interval_text(metric, point.low, point.high)
                assert texts[place] == f"{figure(metric, point.value)} {ends}"
            assert caption.startswith(figure(metric, points[trend.points[-1].night].value or 0.0))
    assert "metric = 'macro_f1'" in carried["macro_f1"]["sql"]
    assert carried["macro_f1"]["suffix"] == " %"
    assert carried["nll"]["suffix"] == ""
    assert carried["micro_f1"]["lines"] == "top1", "they are one figure, and it is carried once"


def test_a_pair_that_lacks_a_metric_is_counted_and_has_no_line(history: History) -> None:
    table = history.table
    lacking = (table["model"].to_pylist(), table["metric"].to_pylist())
    kept = [
        not (model == "small" and metric == "macro_f1")
        for model, metric in zip(*lacking, strict=True)
    ]
    overview = build_overview(History(table.filter(kept), history.nights))
    [choice] = [choice for choice in overview.choices if choice.metric == "macro_f1"]
    assert choice.said == "every class present counts the same; 2 of 3 pairs"
    assert "small" not in {trend.model for trend in choice.trends}


def test_the_page_offers_them_and_hostile_names_stay_text(history: History, tmp_path: Path) -> None:
    overview = build_overview(history)
    page = Page(history_page(overview))
    offered = [attributes["value"] for tag, attributes in page.opened if tag == "option"]
    assert offered == [choice.metric for choice in overview.choices]
    chosen = [a["value"] for tag, a in page.opened if tag == "option" and "selected" in a]
    assert chosen == ["top1"]
    nothing = empty_night(tmp_path)
    assert "<select" not in nothing.history.read_text()
