import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.deadline import deadline_at, is_over, seconds_left, too_late, until

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "passes"),
    [("3h", 10_800), ("90m", 5_400), ("1h30m", 5_400), ("45s", 45), ("0h1s", 1)],
)
def test_a_duration_is_time_that_passes(text: str, passes: int) -> None:
    assert deadline_at(text, NOON, BERLIN) == NOON + timedelta(seconds=passes)


def test_a_duration_does_not_care_about_the_clocks() -> None:
    # Clocks in Berlin go from 02:00 to 03:00 at 01:00 UTC on 29 March 2026, back on 25 October.
    for started in ("2026-03-29T00:30", "2026-10-25T00:30"):
        assert deadline_at("3h", utc(started), BERLIN) == utc(started) + timedelta(hours=3)


@pytest.mark.parametrize(
    ("text", "now", "zone", "moment"),
    [
        ("06:30", "2026-11-25T01:00", BERLIN, "2026-11-25T05:30"),
        ("06:30", "2026-11-25T05:30", BERLIN, "2026-11-26T05:30"),  # it is 06:30: tomorrow
        ("06:30", "2026-07-01T21:00", BERLIN, "2026-07-02T04:30"),  # over midnight, in summer
        ("23:59", "2026-12-31T23:00", NEW_YORK, "2027-01-01T04:59"),  # there it is still the 31st
        # The night in which clocks are put forward has an hour less until the morning.
        ("06:30", "2026-03-28T23:00", BERLIN, "2026-03-29T04:30"),
        ("06:30", "2026-10-24T22:00", BERLIN, "2026-10-25T05:30"),
        # 02:30 does not exist on 29 March 2026: half an hour after the change.
        ("02:30", "2026-03-29T00:00", BERLIN, "2026-03-29T01:30"),
        # 02:30 comes twice on 25 October 2026: whichever is next.
        ("02:30", "2026-10-24T23:00", BERLIN, "2026-10-25T00:30"),
        ("02:30", "2026-10-25T00:45", BERLIN, "2026-10-25T01:30"),
        ("02:30", "2026-10-25T01:45", BERLIN, "2026-10-26T01:30"),
    ],
)
def test_a_time_of_the_day_is_the_next_moment_at_which_clocks_show_it(
    text: str, now: str, zone: ZoneInfo, moment: str
) -> None:
    assert deadline_at(text, utc(now), zone) == utc(moment)


@given(
    now=st.integers(0, 10**8).map(lambda seconds: NOON + timedelta(seconds=seconds)),
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
    zone=st.sampled_from([BERLIN, NEW_YORK, ZoneInfo("Australia/Lord_Howe"), ZoneInfo("UTC")]),
)
def test_no_earlier_moment_shows_that_time(
    now: datetime, hour: int, minute: int, zone: ZoneInfo
) -> None:
    found = deadline_at(f"{hour:02}:{minute:02}", now, zone)
    assert now < found <= now + timedelta(hours=25)
    start = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
    between = itertools.takewhile(
        lambda m: m < found, (start + timedelta(minutes=n) for n in itertools.count())
    )
    shown = {(m.astimezone(zone).hour, m.astimezone(zone).minute) for m in between}
    assert (hour, minute) not in shown


@pytest.mark.parametrize("text", ["", "0h", "soon", "6:30", "24:00", "12:60", "-3h", "3", "1.5h"])
def test_what_is_neither_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no deadline: write a duration as 3h.*06:30"):
        deadline_at(text, NOON, BERLIN)


def test_the_deadline_holds_inside_its_block() -> None:
    assert seconds_left() is None
    assert not is_over()
    with until(datetime.now(UTC) + timedelta(hours=1)):
        assert 3590 < (seconds_left() or 0) <= 3600
        assert not is_over()
    with until(utc("2020-02-03T04:05")):
        assert (seconds_left(), is_over()) == (0.0, True)
        said = str(too_late("two of three shards are predicted"))
    assert seconds_left() is None
    assert said == (
        "the deadline 2020-02-03 04:05:00 UTC came first: two of three shards are predicted; what "
        "is finished is kept, and the next run does the rest"
    )
