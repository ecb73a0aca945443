"""A large gap between top-1 and top-5, and the twins behind it."""

import numpy as np
import pytest

from shards.sample import ClassList
from tasks.health.top5_ignored import top5_ignored
from tasks.metrics.intervals import wilson
from tests.tasks.metrics.made_by_hand import scoring_of, tallies_of


def twins(confused: int) -> np.ndarray:
    counts = np.diag([100] * 10)
    counts[3, 3], counts[3, 5] = 100 - confused, confused
    counts[5, 5], counts[5, 3] = 100 - confused, confused
    counts[0, 1] = 2
    return counts


def test_twins_are_counted_either_way() -> None:
    names = ("a", "b", "c", "<script>", "e", "dog", "g", "h", "i", "j")
    found = top5_ignored(scoring_of(tallies_of(twins(80)), ClassList.of_names(names)))
    assert found.severity == "warn"
    assert "<script> and dog (160), a and b (2); together 100 % of the 162 mistakes" in (
        found.sentence
    )
    assert [pair.count for pair in found.evidence.confused] == [160, 2]
    gap = found.evidence.metrics[2]
    assert gap.hits == 162
    assert (gap.low, gap.high) == pytest.approx(wilson(162, 1002))


def test_a_small_gap_informs() -> None:
    found = top5_ignored(scoring_of(tallies_of(twins(10))))
    assert (found.severity, found.checked) == ("info", True)


def test_of_five_classes_there_is_no_top5() -> None:
    assert not top5_ignored(scoring_of(tallies_of(np.diag([9] * 5)))).checked


def test_where_top5_was_not_counted_or_nothing_predicted() -> None:
    scoring = scoring_of(tallies_of(twins(10)))
    without = tuple(metric for metric in scoring.overall if metric.name != "top5")
    found = top5_ignored(scoring.model_copy(update={"overall": without}))
    assert not found.checked
    assert "top_k" in found.advice
    assert not top5_ignored(scoring_of(tallies_of(np.zeros((10, 10), int)))).checked
