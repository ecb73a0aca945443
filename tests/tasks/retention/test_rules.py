from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tasks.night import Night, Provenance
from tasks.retention.rules import Retention, kept_nights

NOW = datetime(2026, 11, 25, 6, tzinfo=UTC)  # a Wednesday
PROVENANCE = Provenance(python="3", machine="m", cores=1, devices=("cpu:0",), packages={})
ONLY = Retention(newest=1, days=0, weeks=0, months=0)


def night(days_ago: float, **changes: object) -> Night:
    started = NOW - timedelta(days=days_ago)
    facts = {
        "name": f"{started:%Y%m%dt%H%M%Sz}-n",
        "plan": "p",
        "plan_digest": "",
        "started": started,
        "finished": started,
        "state": "passed",
        "outcomes": (),
        "provenance": PROVENANCE,
    }
    return Night.model_validate({**facts, **changes})


def ages(nights: list[Night], rules: Retention) -> list[int]:
    """How many days old those are that stay."""
    kept = kept_nights(nights, rules, NOW)
    return sorted((NOW - found.started).days for found in nights if found.name in kept)


def test_the_newest_stay_however_old() -> None:
    nights = [night(days) for days in (400, 500, 600)]
    assert ages(nights, ONLY) == [400]
    assert ages(nights, ONLY.model_copy(update={"newest": 2})) == [400, 500]


def test_days_count_back_from_now() -> None:
    nights = [night(days) for days in range(10)]
    assert ages(nights, ONLY.model_copy(update={"days": 3})) == [0, 1, 2, 3]


def test_the_last_night_of_a_week_and_of_a_month() -> None:
    # Wednesday is day 0; Sundays are 3, 10, 17 days ago; 31 October is 25 days ago.
    nights = [night(days) for days in range(60)]
    assert ages(nights, ONLY.model_copy(update={"weeks": 4})) == [0, 3, 10, 17]
    assert ages(nights, ONLY.model_copy(update={"months": 3})) == [0, 25, 56]


def test_weeks_without_a_night_do_not_count() -> None:
    nights = [night(days) for days in (0, 200, 201, 400)]
    assert ages(nights, ONLY.model_copy(update={"weeks": 3})) == [0, 200, 400]


def test_plans_quick_looks_and_reprocessed_pairs_are_counted_apart() -> None:
    nights = [
        night(0, quick=1),
        night(1, kind="reprocess"),
        night(2),
        night(3, plan="q"),
        *(night(days) for days in (4, 5)),
        *(night(days, quick=2) for days in (6, 7)),
    ]
    assert ages(nights, ONLY) == [0, 1, 2, 3]


def test_no_night_is_no_fault() -> None:
    assert kept_nights([], Retention(), NOW) == {}


def test_the_newest_cannot_all_go() -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        Retention(newest=0)


@given(
    old=st.lists(st.integers(0, 800), unique=True),
    rules=st.builds(
        Retention,
        newest=st.integers(1, 9),
        days=st.integers(0, 40),
        weeks=st.integers(0, 9),
        months=st.integers(0, 9),
    ),
)
def test_pruning_again_at_once_keeps_the_same(old: list[int], rules: Retention) -> None:
    nights = [night(days) for days in old]
    first = kept_nights(nights, rules, NOW)
    assert kept_nights([n for n in nights if n.name in first], rules, NOW).keys() == first.keys()
    assert min(rules.newest, len(old)) <= len(first)
    recent = {n.name for n in nights if NOW - n.started <= timedelta(days=rules.days)}
    assert recent <= first.keys()
