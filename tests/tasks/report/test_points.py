import numpy as np

from tasks.metrics.point_check import ClassThreshold, check_points
from tasks.metrics.scoring import Scoring
from tasks.metrics.threshold import ClassScores, Wanted
from tasks.report.build import build_report
from tasks.report.html import evaluation_page
from tasks.report.markdown import night_markdown
from tasks.report.points import missed_points, point_rows
from tests.tasks.report.nights import NAMES, cifar, judged, make_night, make_scoring


def with_points(*found: int | None) -> Scoring:
    """A threshold on each of the first classes that finds so many of 100 images, or is unknown."""
    wanted = Wanted(metric="recall", value=0.8)
    thresholds = [
        ClassThreshold(class_index=index, threshold=0.25, wanted=wanted)
        for index in range(len(found))
    ]

    def scores(index: int) -> ClassScores | None:
        if (hits := found[index]) is None:
            return None
        right = np.arange(100) < hits
        return ClassScores(index, right.astype(float), np.ones(100, dtype=bool), *[right] * 3)

    checks = check_points(thresholds, scores)
    scoring = make_scoring(cifar("net"), NAMES, n=200, skill=3)
    return scoring.model_copy(update={"operating_points": checks})


def test_every_point_has_a_row_and_what_is_missed_is_a_warning() -> None:
    scoring = with_points(99, 78, 40, None)
    rows = point_rows(scoring)
    states = ["passed", "inconclusive", "warning", "inconclusive"]
    assert [row.state.state for row in rows] == states
    assert rows[0].name == "aeroplane: recall of at least 80.0 %"
    missed, unknown = missed_points(scoring)
    assert "bird at a threshold of 0.25: recall is 40.0 % (40 of 100;" in missed
    assert "no longer reached" in missed
    assert "cat at a threshold of 0.25: the recall cannot be checked" in unknown


def test_points_are_on_the_page_and_warnings_also_in_the_summary() -> None:
    scoring = with_points(99, 40)
    outcome = judged(scoring)
    report = build_report(make_night((outcome,)), {str(outcome.pair): scoring})
    page = evaluation_page(report, outcome.pair)
    assert 'id="points"' in page
    assert page.count("at a threshold of 0.25") == 3, "two cards, and the warning on top"
    assert "Warning: car at a threshold of 0.25" in night_markdown(report)
    plain = make_scoring(cifar("net"), NAMES, n=200, skill=3)
    report = build_report(make_night((outcome,)), {str(outcome.pair): plain})
    assert 'id="points"' not in evaluation_page(report, outcome.pair)
