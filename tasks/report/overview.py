"""All nights as one page shows them: read from the nights' tables alone."""

from collections import Counter
from dataclasses import dataclass

from tasks.layout import night_started
from tasks.night import SEVERITY
from tasks.report.history import History, Point
from tasks.report.metric_choice import MetricChoice, metric_choices
from tasks.report.trend import Trend, said_of, state_of
from tasks.report.words import STATES, StateWord, day_text, moment_text

GRID_NIGHTS = 30
"""So many of the newest nights stand in the grid of verdicts."""


@dataclass(frozen=True, slots=True)
class NightRow:
    """One night: when it was, and how many pairs had which verdict, the worst first."""

    name: str
    when: str
    tally: tuple[tuple[StateWord, int], ...]
    quick: int | None

    @property
    def href(self) -> str:
        return f"{self.name}/index.html"


@dataclass(frozen=True, slots=True)
class Cell:
    """The verdict of a pair on a night."""

    href: str
    state: StateWord
    title: str


@dataclass(frozen=True, slots=True)
class Column:
    """A night in the grid."""

    name: str
    day: str
    month: str


@dataclass(frozen=True, slots=True)
class GridRow:
    """A pair in the grid: one cell per column, None where the night did not have it."""

    trend: Trend
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True, slots=True)
class Overview:
    """The history page, ready to be put on a page.

    Attributes:
        nights: the newest first.
        grid: the worst newest verdict first.
        trends: top-1 of every pair that was ever measured, in the grid's order.
        choices: the metrics that can stand in its place, top-1 among them.
        damaged: what could not be read.
    """

    nights: tuple[NightRow, ...]
    columns: tuple[Column, ...]
    grid: tuple[GridRow, ...]
    trends: tuple[Trend, ...]
    choices: tuple[MetricChoice, ...]
    damaged: tuple[str, ...]

    @property
    def span(self) -> str:
        """``20 November 2026, 02:00 UTC to …``."""
        if not self.nights:
            return ""
        first, last = self.nights[-1].when, self.nights[0].when
        return first if first == last else f"{first} to {last}"


def build_overview(history: History) -> Overview:
    """Every night and every pair of a history."""
    trends = [Trend(pair, "top1", points) for pair, points in history.overall("top1").items()]
    trends.sort(key=lambda trend: (_severity(trend.points[-1]), trend.pair))
    measured = tuple(trend for trend in trends if trend.measured)
    shown = history.nights[-GRID_NIGHTS:]
    return Overview(
        nights=tuple(_night_row(name, trends) for name in reversed(history.nights)),
        columns=tuple(_column(name) for name in shown),
        grid=tuple(GridRow(trend, _cells(trend, shown)) for trend in trends),
        trends=measured,
        choices=metric_choices(history, measured),
        damaged=history.damaged,
    )


def _severity(point: Point) -> int:
    return next((place for place, s in enumerate(SEVERITY) if s == point.verdict), len(SEVERITY))


def _night_row(name: str, trends: list[Trend]) -> NightRow:
    points = [point for trend in trends for point in trend.points if point.night == name]
    verdicts = Counter(point.verdict for point in points)
    return NightRow(
        name=name,
        when=moment_text(night_started(name)),
        tally=tuple((STATES[state], verdicts[state]) for state in SEVERITY if verdicts[state]),
        quick=next((point.quick for point in points if point.quick is not None), None),
    )


def _column(name: str) -> Column:
    started = night_started(name)
    return Column(name, str(started.day), f"{started:%b}")


def _cells(trend: Trend, nights: tuple[str, ...]) -> tuple[Cell | None, ...]:
    found = {point.night: point for point in trend.points}
    return tuple(_cell(trend, found[name]) if name in found else None for name in nights)


def _cell(trend: Trend, point: Point) -> Cell:
    state = state_of(point)
    title = f"{trend.model}, {day_text(night_started(point.night))}: {state.word}, "
    return Cell(f"{point.night}/index.html", state, title + said_of(trend.metric, point))
