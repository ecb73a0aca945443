"""Until when a night works: how it is written, and who asks whether that moment has come."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from shards.errors import NightmarkError

FORM = "write a duration as 3h, 90m or 1h30m, or a time of the day as 06:30 (in YAML: '06:30')"
_DURATION = re.compile(r"(?:(\d{1,4})h)?(?:(\d{1,5})m)?(?:(\d{1,6})s)?")
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


class DeadlineError(NightmarkError):
    """The deadline came before the work was done; what is finished is kept."""


def deadline_at(text: str, now: datetime, zone: ZoneInfo) -> datetime:
    """The moment, in UTC, that ``text`` means to somebody who says it at ``now``.

    A duration is time that passes, whatever clocks do. A time of the day is the next moment at
    which a clock in ``zone`` shows it; one that is skipped when clocks are put forward comes as
    many minutes after the change as it lay behind it.

    Raises:
        ValueError: it is neither; the message shows both.
    """
    clock, duration = _CLOCK.fullmatch(text), _DURATION.fullmatch(text)
    if clock:
        wanted = time(int(clock[1]), int(clock[2]))
        today = now.astimezone(zone).date()
        shown = (
            moment
            for days in (0, 1)
            for moment in _moments(datetime.combine(today + timedelta(days), wanted, zone))
        )
        return min(moment for moment in shown if moment > now)
    hours, minutes, seconds = (
        (int(part or 0) for part in duration.groups()) if duration else (0,) * 3
    )
    if not (hours or minutes or seconds):
        raise ValueError(f"{text!r} is no deadline: {FORM}")
    return now.astimezone(UTC) + timedelta(hours=hours, minutes=minutes, seconds=seconds)


def _moments(shown: datetime) -> tuple[datetime, ...]:
    """When clocks show it, in UTC: twice in the hour that is repeated (PEP 495)."""
    first, second = (shown.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    return (first, second) if second > first else (first,)


def moment_words(moment: datetime) -> str:
    """``2026-11-25 06:30:00 UTC``."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


_DEADLINE: ContextVar[datetime | None] = ContextVar("deadline", default=None)


@contextmanager
def until(deadline: datetime | None) -> Iterator[None]:
    """The deadline of all work inside the block, and of the flows and tasks started there."""
    token = _DEADLINE.set(deadline)
    try:
        yield
    finally:
        _DEADLINE.reset(token)


def seconds_left() -> float | None:
    """Until the deadline of this context, none of them negative; None where there is none."""
    deadline = _DEADLINE.get()
    return None if deadline is None else max((deadline - datetime.now(UTC)).total_seconds(), 0.0)


def is_over() -> bool:
    """Whether the deadline of this context has come."""
    return seconds_left() == 0.0


def too_late(what: str) -> DeadlineError:
    """The error that says what the deadline of this context cut off, and what to do."""
    deadline = _DEADLINE.get()
    moment = "" if deadline is None else f" {moment_words(deadline)}"
    return DeadlineError(
        f"the deadline{moment} came first: {what}; what is finished is kept, and the next run does "
        f"the rest"
    )
