"""Midnight and the change of clocks: names, durations, deadlines and the schedule."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from prefect.server.schemas.schedules import CronSchedule

from flows import night as nights
from flows.nightly import nightly
from flows.returned import taken
from shards.store import Store
from tasks.deadline import deadline_at
from tasks.layout import night_name
from tasks.night import Night
from tasks.stored import finished_nights

PLAN = Path(__file__).parents[1] / "plans" / "small.yaml"
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def night_at(monkeypatch: pytest.MonkeyPatch, *moments: str, deadline: str | None = None) -> Night:
    """A night without a pair that looks at the clock at these moments, and then not again."""
    shown = iter([datetime.fromisoformat(moment) for moment in moments])

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return next(shown).astimezone(tz)

    with monkeypatch.context() as patch:
        patch.setattr(nights, "datetime", Clock)
        overrides = ["models.0.datasets=[]", "runtime.time_zone=Europe/Berlin"]
        return taken(nightly(PLAN, overrides, deadline=deadline, return_state=True), Night)


@pytest.mark.usefixtures("in_berlin")
def test_nights_over_midnight_and_over_the_change_of_clocks(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clocks in Berlin go back from 03:00 to 02:00 on 25 October 2026, at 01:00 UTC."""
    over_midnight = night_at(monkeypatch, "2026-10-24T23:59:50+02:00", "2026-10-25T00:00:10+02:00")
    # By the clock it ends half an hour before it began.
    back = night_at(
        monkeypatch, "2026-10-25T02:45:00+02:00", "2026-10-25T02:15:00+01:00", deadline="06:30"
    )
    after = night_at(monkeypatch, "2026-10-25T02:20:00+01:00", "2026-10-25T02:21:00+01:00")
    nights_in_turn = [over_midnight, back, after]
    assert [night.name.partition("-")[0] for night in nights_in_turn] == [
        "20261024t215950z",
        "20261025t004500z",
        "20261025t012000z",
    ]
    assert finished_nights(Store.at(str(root))) == [night.name for night in nights_in_turn]
    durations = [(night.finished - night.started).total_seconds() for night in nights_in_turn]
    assert durations == [20, 30 * 60, 60]
    assert back.deadline == datetime(2026, 10, 25, 5, 30, tzinfo=UTC)
    page = (root / "nights" / back.name / "index.html").read_text()
    assert "25 October 2026, 00:45 UTC" in page
    assert "30 min 00 s" in page


@pytest.mark.parametrize(
    ("first", "fired", "deadlines"),
    [
        # Clocks skip 02:00 to 03:00 on 29 March: Prefect fires an hour early, and leaves none out.
        ("2026-03-28", ["28 01:30", "29 00:30", "30 00:30"], ["28 05:30", "29 04:30", "30 04:30"]),
        # 02:30 comes twice on 25 October: one night, the first time.
        ("2026-10-24", ["24 00:30", "25 00:30", "26 01:30"], ["24 04:30", "25 05:30", "26 05:30"]),
    ],
)
def test_the_schedule_fires_once_a_night_and_deadlines_follow_the_clock(
    first: str, fired: list[str], deadlines: list[str]
) -> None:
    schedule = CronSchedule(cron="30 2 * * *", timezone="Europe/Berlin")
    start = datetime.fromisoformat(first).replace(tzinfo=BERLIN)
    moments = [moment.astimezone(UTC) for moment in asyncio.run(schedule.get_dates(3, start))]
    assert [f"{moment:%d %H:%M}" for moment in moments] == fired
    found = [deadline_at("06:30", moment, BERLIN) for moment in moments]
    assert [f"{moment:%d %H:%M}" for moment in found] == deadlines
    names = [night_name(moment, "a") for moment in moments]
    assert names == sorted(names)
