"""What the charts of confidence show is what the scoring says."""

import json

import pytest

from tasks.metrics.scoring import Scoring
from tasks.report.chart import Chart
from tasks.report.curve_charts import reliability_chart, risk_chart
from tests.tasks.report.nights import cifar, make_scoring

INTERVALS = "95 % confidence interval"
NAMES = tuple("abcde")


@pytest.fixture(scope="module")
def scoring() -> Scoring:
    return make_scoring(cifar("m"), NAMES, n=300, skill=2.0)


def trace(chart: Chart | None, name: str) -> dict:
    assert chart is not None
    return next(t for t in json.loads(str(chart.figure))["data"] if t["name"] == name)


def test_reliability_shows_every_bin_that_has_images(scoring: Scoring) -> None:
    shown = trace(reliability_chart(scoring, INTERVALS), "this model")
    bins = [found for found in scoring.reliability if found.n]
    assert sum(found.n for found in bins) == scoring.n
    assert shown["y"] == pytest.approx([100 * found.hits / found.n for found in bins])
    assert shown["x"] == pytest.approx([100 * (found.mean_confidence or 0) for found in bins])
    up, down = shown["error_y"]["array"], shown["error_y"]["arrayminus"]
    assert up == pytest.approx(
        [100 * (f.high or 0) - y for f, y in zip(bins, shown["y"], strict=True)]
    )
    assert down == pytest.approx(
        [y - 100 * (f.low or 0) for f, y in zip(bins, shown["y"], strict=True)]
    )
    assert all(
        f"{found.n:,} images" in text for found, text in zip(bins, shown["hovertext"], strict=True)
    )


def test_risk_ends_at_all_mistakes(scoring: Scoring) -> None:
    shown = trace(risk_chart(scoring, INTERVALS), "mistakes")
    assert shown["x"][-1] == pytest.approx(100.0)
    assert shown["y"][-1] == pytest.approx(100 - 100 * (scoring.metric("top1").value or 0))
    assert len(shown["y"]) == len(scoring.risk_coverage)


def test_without_samples_nothing_is_drawn() -> None:
    nothing = make_scoring(cifar("m"), NAMES, n=3, skill=2.0, failed=3)
    assert reliability_chart(nothing, INTERVALS) is None
    assert risk_chart(nothing, INTERVALS) is None
