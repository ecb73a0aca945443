"""Verdicts in bands, and updates."""

import json

from tasks.report.history import Point
from tasks.report.trend import Trend
from tasks.report.trend_charts import Line, trend_chart
from tests.tasks.report.nights import point


def trend(*points: Point) -> Trend:
    return Trend("cifar10/test/m", "top1", points)


def test_neighbouring_nights_of_one_verdict_are_one_band() -> None:
    found = trend(point(1), point(2), point(3, verdict="failed"), point(4)).bands
    assert [(band.first, band.last, band.state.state) for band in found] == [
        (0, 1, "passed"),
        (2, 2, "failed"),
        (3, 3, "passed"),
    ]


def test_a_night_of_before_verdicts_were_kept_says_so() -> None:
    [band] = trend(point(1, verdict=None)).bands
    assert band.state.word == "verdict not kept"


def test_updates_are_seen_across_a_night_that_failed() -> None:
    lost = point(2, None, verdict="unusable", model_fingerprint=None, dataset_version=None)
    both = point(3, model_fingerprint="f2", dataset_version="d2")
    found = trend(point(1), lost, both, point(4, model_fingerprint="f2", dataset_version="d3"))
    assert [(update.place, update.text) for update in found.updates] == [
        (2, "new model and new dataset"),
        (3, "new dataset"),
    ]


def test_the_caption_tells_the_whole_story() -> None:
    shown = trend(point(1), point(2, 0.5, verdict="failed", model_fingerprint="f2"))
    assert shown.caption == (
        "50.0 % on 2 November; new model on 2 November; passed on 1 night, then failed on 1 night."
    )


def test_a_chart_has_its_bands_updates_and_ways_to_the_nights() -> None:
    points = (point(1), point(2, None, verdict="incomplete"), point(3, model_fingerprint="f2"))
    chart = trend_chart(trend(*points), "..")
    assert chart.id == "trend-cifar10/test/m"
    assert chart.caption == trend(*points).caption
    drawn = json.loads(chart.figure)
    [line] = drawn["data"]
    assert line["y"] == [90.0, None, 90.0]
    assert line["meta"]["hrefs"][2] == "../20261103t020000z-n3/index.html"
    shapes = [shape["type"] for shape in drawn["layout"]["shapes"]]
    assert shapes == ["rect", "rect", "rect", "line"]
    assert [said["text"] for said in drawn["layout"]["annotations"]] == ["new model"]


def test_no_two_pairs_share_a_chart() -> None:
    """Names have dashes: the page of all nights would draw the figures of one model twice."""
    pairs = ("imagenet/val/v2-resnet", "imagenet/val-v2/resnet", "imagenet-val/v2/resnet")
    assert len({Trend(pair, "top1", (point(1),)).id for pair in pairs}) == len(pairs)


def test_a_quick_night_is_hollow() -> None:
    drawn = json.loads(trend_chart(trend(point(1, quick=2), point(2)), "..").figure)
    [line] = drawn["data"]
    assert line["marker"]["symbol"] == ["circle-open", "circle"]
    assert line["text"][0] == "90.0 % [88.0, 92.0]"
    assert line["customdata"][0] == "1 November, on the first 2 shards alone<br>passed"


def test_another_metric_has_the_same_nights_and_is_drawn_in_its_own_unit() -> None:
    spine = trend(point(1), point(2, None, verdict="unusable"), point(3))
    loss = spine.of_metric("nll", (point(3, 0.123456789),))
    assert loss.moments == spine.moments
    assert loss.bands == spine.bands
    assert [p.night for p in loss.measured] == [spine.points[2].night]
    assert loss.caption.startswith("0.1235 on 3 November")
    line = Line.of(loss)
    assert line.values == (None, None, 0.12346)
    assert (line.down[2], line.up[2], line.suffix) == (0.02, 0.02, "")
    assert line.texts == ("not measured", "not measured", "0.1235 [0.1035, 0.1435]")
    assert Line.of(spine).suffix == " %"
