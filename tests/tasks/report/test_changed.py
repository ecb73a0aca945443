"""What changed since the last whole night, and what is said where nothing is known to have."""

import re

import pytest

from tasks.report.changed import changes_since, newcomer, unchanged_sentence
from tasks.report.history import SCHEMA, History, Series
from tests.tasks.report.nights import point


def test_what_changed_is_told_against_the_last_whole_night() -> None:
    now = point(4, 0.5, verdict="failed", model_fingerprint="f2", dataset_version="d2")
    assert changes_since((point(1), point(2), point(3, 0.2, quick=1), now)) == (
        "Failed now, passed on 2 November.",
        "The model is another version than on 2 November.",
        "The dataset is another version than on 2 November.",
        "Top-1 went from 90.0 % to 50.0 %.",
    )


def test_nothing_changed_where_all_is_as_it_was_or_nothing_is_comparable() -> None:
    assert changes_since((point(1), point(2))) == ()
    assert changes_since((point(2),)) == ()
    assert changes_since((point(1), point(2, 0.2, quick=1))) == ()


def test_a_change_of_an_image_in_fifty_thousand_is_told_apart() -> None:
    """It read: Top-1 went from 90.0 % to 90.0 %."""
    [said] = changes_since((point(1), point(2, 0.90002)))
    assert said == "Top-1 went from 90.000 % to 90.002 %."


def nights_before(count: int, *damaged: str) -> History:
    names = tuple(f"202611{day:02d}t020000z-n{day}" for day in range(1, count + 2))
    return History(SCHEMA.empty_table(), names, damaged)


def test_a_pair_that_was_on_no_night_before_is_new_where_that_is_known() -> None:
    """The page said of it that its figures are as on the nights before."""
    alone = (point(9),)
    assert newcomer(alone, nights_before(1)) == ("New: it was not on the night before.",)
    assert newcomer(alone, nights_before(4)) == ("New: it was not on any of the 4 nights before.",)
    for points, history in (
        (alone, nights_before(0)),
        (alone, nights_before(4, "n3 cannot be read")),
        ((point(8), point(9)), nights_before(4)),
        ((point(9, quick=1),), nights_before(4)),
    ):
        assert newcomer(points, history) == ()


@pytest.mark.parametrize(
    ("pairs", "earlier", "said"),
    [
        ([(point(1),)], 0, "This is the first night"),
        ([(point(1), point(2, quick=1))], 1, "A quick look is compared with no other night."),
        ([(point(1, quick=1), point(2))], 1, "There is no whole night before to compare with."),
        ([(point(1), point(2)), (point(2),)], 1, "Nothing, as far as .*: 1 of 2 pairs had one"),
        ([(point(1), point(2))], 1, "Nothing: verdicts, models, datasets and top-1 are as on"),
    ],
)
def test_nothing_is_called_unchanged_that_was_not_compared(
    pairs: list[Series], earlier: int, said: str
) -> None:
    assert re.match(said, unchanged_sentence(pairs, earlier))
