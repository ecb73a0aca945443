"""Sparklines of classes: a line of some pixels, since a thousand charts would fill the page."""

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.metrics.words import figure
from tasks.report.history import Series

WIDTH, HEIGHT = 84, 22
MARGIN = 2.5


@dataclass(frozen=True, slots=True)
class Spark:
    """A figure of a class over nights.

    Attributes:
        points: of an SVG polyline in a box of ``WIDTH`` by ``HEIGHT``; 0 is at the bottom.
        end: where the last night lies in it.
        words: the same for those who do not see it.
        change: of the last night against the first, for sorting.
    """

    points: str
    end: tuple[float, float]
    words: str
    change: float


def spark(series: Series) -> Spark | None:
    """The line of the nights that have a value; None where fewer than two have."""
    points = [point for point in series if point.value is not None and point.quick is None]
    values = [point.value for point in points if point.value is not None]
    if len(values) < 2:
        return None
    places = _places(values)
    first, last = values[0], values[-1]
    return Spark(
        points=" ".join(f"{x:g},{y:g}" for x, y in places),
        end=places[-1],
        words=f"{figure('recall', first)} to {figure('recall', last)} in {len(values)} nights",
        change=round(last - first, 6),
    )


def _places(values: Sequence[float]) -> list[tuple[float, float]]:
    across, down = WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN
    step = across / (len(values) - 1)
    return [
        (round(MARGIN + step * place, 1), round(MARGIN + down * (1 - value), 1))
        for place, value in enumerate(values)
    ]
