"""Dots in rows: the slices of an evaluation, against its record."""

import json

import pytest

from tasks.metrics.metric import Metric
from tasks.metrics.scoring import Scoring
from tasks.report.row_charts import MOST_SLICES, slices_chart
from tests.tasks.report.nights import HOSTILE, NightCase


def sliced(case: NightCase, *slices: Metric) -> Scoring:
    return case.scoring("good").model_copy(update={"slices": slices})


def share(name: str, hits: int, n: int, metric: str = "top1") -> Metric:
    return Metric.proportion(metric, hits, n, scope="slice", slice_name=name)


def test_each_slice_is_a_dot_with_its_interval_in_the_order_of_the_plan(case: NightCase) -> None:
    slices = (
        share("light=day", 90, 100),
        share("light=dusk", 30, 50),
        share("light=dusk", 45, 50, metric="top5"),
        Metric.undefined("top1", "too_small", 3, slice_name="light=night"),
        share(f"where={HOSTILE}", 8, 10),
    )
    scoring = sliced(case, *slices)
    chart = slices_chart(scoring, "95 % confidence interval")
    assert chart is not None
    assert "1 slice is in the table alone, without a figure." in chart.caption
    drawn = json.loads(chart.figure)
    everything, light, where = drawn["data"]
    overall = scoring.metric("top1").value or 0.0
    assert everything["x"] == pytest.approx([100 * overall] * 2)
    assert (light["name"], light["x"], light["y"]) == ("light", [90.0, 60.0], [0, 1])
    assert (where["x"], where["y"]) == ([80.0], [2])
    low, high = slices[1].low, slices[1].high
    assert low is not None
    assert high is not None
    assert light["error_x"]["arrayminus"][1] == pytest.approx(100 * (0.6 - low))
    assert light["error_x"]["array"][1] == pytest.approx(100 * (high - 0.6))
    assert "n = 50" in light["hovertext"][1]
    assert "<script" not in str(drawn)


def test_without_a_figure_there_is_no_chart(case: NightCase) -> None:
    small = Metric.undefined("top1", "too_small", 3, slice_name="light=night")
    assert slices_chart(sliced(case), "interval") is None
    assert slices_chart(sliced(case, small), "interval") is None


def test_of_too_many_the_lowest_are_drawn(case: NightCase) -> None:
    many = [share(f"city={number:03d}", number, 100) for number in range(MOST_SLICES + 10, 0, -1)]
    chart = slices_chart(sliced(case, *many), "interval")
    assert chart is not None
    assert f"The {MOST_SLICES} lowest of {MOST_SLICES + 10}." in chart.caption
    _, dots = json.loads(chart.figure)["data"]
    assert dots["x"] == pytest.approx(list(range(MOST_SLICES, 0, -1)))
