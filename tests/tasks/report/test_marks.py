"""What sets a night apart, and the change against the baseline in short."""

from datetime import timedelta

import pytest

from tasks.gates.baseline import compared_with, impossible, unchanged
from tasks.report.marks import change_figure, night_marks
from tests.support.compared import comparison, top1
from tests.tasks.report.nights import cifar, make_night


def test_a_whole_night_has_no_mark() -> None:
    assert night_marks(make_night(())) == ()


def test_quick_reprocess_and_deadline_are_marked() -> None:
    night = make_night(())
    marked = night.model_copy(
        update={
            "quick": 2,
            "kind": "reprocess",
            "deadline": night.started + timedelta(hours=3),
        }
    )
    quick, reprocess, deadline = night_marks(marked)
    assert quick.startswith("A quick look: judged on the first 2 shards of each split alone.")
    assert reprocess.startswith("A reprocess:")
    assert deadline == "It had to end by 23 November 2026, 05:30 UTC."


def test_a_change_has_its_interval_in_points() -> None:
    change = top1(30, 10)
    shown = change_figure(compared_with(comparison(change), "d1").note)
    assert shown.text == "+2.0 points"
    assert change.low is not None
    assert change.high is not None
    assert shown.interval == f"[{100 * change.low:+.1f}, {100 * change.high:+.1f}]"


@pytest.mark.parametrize(
    ("note", "words"),
    [
        (None, "no baseline"),
        (unchanged(cifar("a"), "e1", "d1").note, "is the baseline"),
        (impossible(cifar("a"), "e1", "d1", "it is gone").note, "not comparable"),
    ],
)
def test_without_a_change_there_are_words(note, words: str) -> None:
    assert (change_figure(note).text, change_figure(note).defined) == (words, False)
