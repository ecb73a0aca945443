"""How fast work goes, and when it will be over: one reckoning for terminal, log and UI."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tasks.progress import Advance, Outline

LINE_SECONDS = 30.0
"""Lines of a log are not closer together than this,"""
SILENT_SECONDS = 600.0
"""and not further apart while something is done."""
LINES = 10
"""A line for every such part of the work."""


@dataclass
class Pace:
    """Work under way. ``advance`` may be called from several threads.

    Attributes:
        done: shards, with those that were there and those that another run did.
        computed: shards that were done here, and ``images`` those in them.
    """

    outline: Outline
    clock: Callable[[], float] = time.monotonic
    done: int = field(init=False)
    computed: int = field(default=0, init=False)
    images: int = field(default=0, init=False)
    _began: float = field(init=False)
    _first: tuple[float, int] | None = field(default=None, init=False)
    _line: tuple[float, int] = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        self.done = self.outline.reused
        self._began = self.clock()
        self._line = (self._began, self.done)

    def advance(self, advance: Advance) -> None:
        with self._lock:
            self.done += advance.shards
            if advance.elsewhere:
                return
            self.computed += advance.shards
            self.images += advance.images
            if self._first is None:
                self._first = (self.clock(), self.done)

    @property
    def is_done(self) -> bool:
        return self.done >= self.outline.shards

    @property
    def percent(self) -> float:
        return 100.0 * self.done / self.outline.shards if self.outline.shards else 100.0

    @property
    def images_per_second(self) -> float | None:
        """Since the work began; None before the first image."""
        seconds = self.clock() - self._began
        return self.images / seconds if self.images and seconds > 0 else None

    @property
    def seconds_left(self) -> float | None:
        """By the shards after the first one, which also started the engines; None before these."""
        if self._first is None or self.done <= self._first[1]:
            return None
        since, done = self.clock() - self._first[0], self.done - self._first[1]
        return since / done * (self.outline.shards - self.done)

    def words(self, now: datetime | None = None) -> str:
        """``12 of 40 shards, 3,400 images/s, about 2 min left (until 06:41 UTC)``."""
        said = [f"{self.done:,} of {self.outline.shards:,} shards"]
        if (rate := self.images_per_second) is not None:
            said.append(f"{rate:,.0f} images/s" if rate >= 10 else f"{rate:.1f} images/s")
        left = self.seconds_left
        if left is not None and not self.is_done:
            end = (now or datetime.now(UTC)) + timedelta(seconds=left)
            said.append(f"{about(left)} left (until {end:%H:%M} UTC)")
        return ", ".join(said)

    def line_is_due(self) -> bool:
        """Whether a log should have a line now; each line is due once."""
        with self._lock:
            (at, done), now = self._line, self.clock()
            parts = LINES * self.done // self.outline.shards - LINES * done // self.outline.shards
            quiet = now - at
            due = parts > 0 and (quiet >= LINE_SECONDS or self.is_done)
            if due or (self.done > done and quiet >= SILENT_SECONDS):
                self._line = (now, self.done)
                return True
            return False


def about(seconds: float) -> str:
    """A span as rough as an estimate is: ``about 40 s``, ``about 3 min``, ``about 2 h 10 min``."""
    if seconds < 55:
        return f"about {max(round(seconds / 5) * 5, 5)} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"about {minutes} min"
    hours, rest = divmod(round(minutes / 10) * 10, 60)
    return f"about {hours} h {rest:02d} min"
