"""Series of figures over nights → what a page shows of them: verdicts, updates, what changed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby, pairwise

from tasks.layout import night_started
from tasks.metrics.words import counted, figure
from tasks.report.history import NOT_MEASURED, Point, Series
from tasks.report.words import STATES, UNKNOWN, StateWord, day_text, interval_text

TREND_NIGHTS = 30
"""So many nights stand on the page of a night; the history has all."""


@dataclass(frozen=True, slots=True)
class Band:
    """Neighbouring nights with one verdict: the first and the last of them, by place."""

    first: int
    last: int
    state: StateWord


@dataclass(frozen=True, slots=True)
class Update:
    """A night that is the first with another model or another dataset, by place."""

    place: int
    text: str


@dataclass(frozen=True, slots=True)
class Trend:
    """A metric of one pair over nights, oldest first."""

    pair: str
    metric: str
    points: Series

    @property
    def model(self) -> str:
        return self.pair.rpartition("/")[2]

    @property
    def split(self) -> str:
        return self.pair.rpartition("/")[0]

    @property
    def id(self) -> str:
        # With the slashes: a/b-c/m and a-b/c/m are two pairs.
        return f"trend-{self.pair}"

    @property
    def moments(self) -> tuple[datetime, ...]:
        return tuple(night_started(point.night) for point in self.points)

    @property
    def measured(self) -> Series:
        return tuple(point for point in self.points if point.value is not None)

    @property
    def state(self) -> StateWord:
        """The newest verdict."""
        return state_of(self.points[-1])

    @property
    def latest(self) -> str:
        return said_of(self.metric, self.points[-1])

    def of_metric(self, metric: str, points: Series) -> "Trend":
        """Another metric over the same nights; a night that lacks it has no value there."""
        found = {point.night: point for point in points}
        lacking = (
            replace(point, value=None, low=None, high=None, n=0, state=NOT_MEASURED)
            for point in self.points
        )
        return Trend(self.pair, metric, tuple(found.get(one.night, one) for one in lacking))

    @property
    def bands(self) -> tuple[Band, ...]:
        runs = groupby(range(len(self.points)), lambda place: state_of(self.points[place]))
        found = []
        for state, places in runs:
            members = list(places)
            found.append(Band(members[0], members[-1], state))
        return tuple(found)

    @property
    def updates(self) -> tuple[Update, ...]:
        return tuple(_updates(self.points))

    @property
    def caption(self) -> str:
        """What a chart of it shows, for those who do not see it."""
        parts = [
            self.latest,
            *(f"{u.text} on {day_text(self.moments[u.place])}" for u in self.updates),
        ]
        runs = [
            f"{band.state.word} on {counted(band.last - band.first + 1, 'night')}"
            for band in self.bands
        ]
        return f"{'; '.join([*parts, ', then '.join(runs)])}."


def state_of(point: Point) -> StateWord:
    """The verdict of a pair on a night."""
    return STATES.get(point.verdict or "", UNKNOWN)


def said_of(metric: str, point: Point) -> str:
    """``85.0 % on 26 November``."""
    said = "not measured" if point.value is None else figure(metric, point.value)
    return f"{said} on {when_of(point)}"


def when_of(point: Point) -> str:
    """``26 November``, and what is to be known of a figure that was taken on a part."""
    when = day_text(night_started(point.night))
    measured = point.value is not None and point.quick is not None
    return f"{when}, on the first {counted(point.quick or 0, 'shard')} alone" if measured else when


def figure_on(metric: str, point: Point) -> str:
    """``85.0 % [82.1, 87.5]``, or that there is none."""
    if point.value is None:
        return "not measured"
    return f"{figure(metric, point.value)} {interval_text(metric, point.low, point.high)}"


def _updates(points: Sequence[Point]) -> Iterator[Update]:
    """Against the last night of which it is known, so that a missed night hides no update."""
    known = [place for place, point in enumerate(points) if point.model_fingerprint is not None]
    for before, place in pairwise(known):
        parts = [
            name
            for name, changed in (
                (
                    "new model",
                    is_other(points[before].model_fingerprint, points[place].model_fingerprint),
                ),
                (
                    "new dataset",
                    is_other(points[before].dataset_version, points[place].dataset_version),
                ),
            )
            if changed
        ]
        if parts:
            yield Update(place, " and ".join(parts))


def is_other(before: str | None, now: str | None) -> bool:
    """Whether a version is known to be another one."""
    return before is not None and now is not None and before != now
