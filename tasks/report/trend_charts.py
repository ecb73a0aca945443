"""A trend as a chart: the figure with its interval, bands of verdicts, and updates of the model."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import plotly.graph_objects as go

from tasks.metrics.words import PLAIN
from tasks.report.chart import Chart
from tasks.report.charts import CLEAR, GREY, GRID
from tasks.report.history import Point
from tasks.report.trend import Trend, figure_on, state_of, when_of

LINE = "#2f88c8"
FILLS = {
    "passed": "rgba(10, 150, 100, 0.16)",
    "failed": "rgba(214, 60, 40, 0.22)",
    "inconclusive": "rgba(230, 159, 0, 0.18)",
    "incomplete": "rgba(86, 140, 220, 0.18)",
    "unusable": "rgba(170, 90, 200, 0.18)",
}
"""Of verdicts; the symbols repeat what they say."""
SYMBOLS = {
    "passed": "circle",
    "failed": "x",
    "inconclusive": "diamond",
    "incomplete": "square",
    "unusable": "square",
}
HEIGHT = 230
HALF_A_DAY = timedelta(hours=12)
A_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Line:
    """What of a trend's chart is of its metric, by night.

    Attributes:
        values: as they are drawn, percentages or plain numbers; None where there is none.
        down, up: how far the interval reaches from there.
        texts: the figures in words, with their intervals.
        suffix: of the numbers on the axis.
    """

    values: tuple[float | None, ...]
    down: tuple[float | None, ...]
    up: tuple[float | None, ...]
    texts: tuple[str, ...]
    suffix: str

    @classmethod
    def of(cls, trend: Trend) -> "Line":
        unit = 1 if trend.metric in PLAIN else 100
        reach = [_reach(point, unit) for point in trend.points]
        return cls(
            values=tuple(_drawn(point.value, unit) for point in trend.points),
            down=tuple(down for down, _ in reach),
            up=tuple(up for _, up in reach),
            texts=tuple(figure_on(trend.metric, point) for point in trend.points),
            suffix="" if unit == 1 else " %",
        )


def trend_chart(trend: Trend, nights: str) -> Chart:
    """The chart of a trend; each point leads to its night.

    Args:
        trend: with at least one point.
        nights: the way from the page to the folder of nights, as ``..``.
    """
    line = Line.of(trend)
    chart = go.Figure(_points(trend, line, nights))
    _add_bands(chart, trend)
    _add_updates(chart, trend)
    chart.update_xaxes(
        type="date",
        range=_range(trend.moments),
        tickformat="%-d %b",
        showgrid=False,
        zeroline=False,
        nticks=6,
        automargin=True,
    )
    chart.update_yaxes(
        ticksuffix=line.suffix, gridcolor=GRID, zeroline=False, nticks=5, automargin=True
    )
    chart.update_layout(
        template=go.layout.Template(),
        height=HEIGHT,
        margin={"l": 8, "r": 14, "t": 24, "b": 8},
        paper_bgcolor=CLEAR,
        plot_bgcolor=CLEAR,
        font={"color": GREY, "size": 12, "family": "system-ui, sans-serif"},
        showlegend=False,
        dragmode=False,
        hoverlabel={"align": "left"},
    )
    return Chart.of(chart, trend.id, trend.caption)


def _points(trend: Trend, line: Line, nights: str) -> go.Scatter:
    points = trend.points
    symbols = [SYMBOLS.get(state_of(p).state, "circle") + _hollow(p) for p in points]
    return go.Scatter(
        x=list(trend.moments),
        y=line.values,
        mode="lines+markers",
        line={"color": LINE, "width": 2},
        marker={"size": 9, "color": LINE, "symbol": symbols},
        error_y={
            "array": line.up,
            "arrayminus": line.down,
            "color": LINE,
            "thickness": 1,
            "width": 2,
        },
        text=line.texts,
        customdata=[f"{when_of(p)}<br>{state_of(p).word}" for p in points],
        hovertemplate="%{text} on %{customdata}<extra></extra>",
        connectgaps=False,
        meta={"hrefs": [f"{nights}/{p.night}/index.html" for p in points]},
    )


def _range(moments: tuple[datetime, ...]) -> tuple[datetime, datetime]:
    """All nights, and at least a week, so that the axis tells days and no hours."""
    first, last = moments[0], moments[-1]
    beyond = max((last - first) / 30, HALF_A_DAY, (A_WEEK - (last - first)) / 2)
    return first - beyond, last + beyond


def _hollow(point: Point) -> str:
    return "" if point.quick is None else "-open"


def _reach(point: Point, unit: int) -> tuple[float | None, float | None]:
    """How far the interval reaches down and up from the value, as it is drawn."""
    if point.value is None or point.low is None or point.high is None:
        return None, None
    ends = (point.value - point.low, point.high - point.value)
    down, up = (_drawn(reach, unit, digits=3) for reach in ends)
    return down, up


def _drawn(value: float | None, unit: int, digits: int = 5) -> float | None:
    """With as many digits as a screen can show: pages carry many of them."""
    return None if value is None else float(f"{unit * value:.{digits}g}")


def _add_bands(chart: go.Figure, trend: Trend) -> None:
    moments = trend.moments
    for band in trend.bands:
        if band.state.state in FILLS:
            chart.add_shape(
                type="rect",
                xref="x",
                yref="paper",
                x0=_between(moments, band.first - 1, band.first),
                x1=_between(moments, band.last, band.last + 1),
                y0=0,
                y1=1,
                fillcolor=FILLS[band.state.state],
                line={"width": 0},
                layer="below",
            )


def _between(moments: tuple[datetime, ...], before: int, after: int) -> datetime:
    """Halfway between two nights, or half a day beyond the outermost."""
    if before < 0:
        return moments[after] - HALF_A_DAY
    if after == len(moments):
        return moments[before] + HALF_A_DAY
    return moments[before] + (moments[after] - moments[before]) / 2


def _add_updates(chart: go.Figure, trend: Trend) -> None:
    for update in trend.updates:
        moment = trend.moments[update.place]
        chart.add_shape(
            type="line",
            xref="x",
            yref="paper",
            x0=moment,
            x1=moment,
            y0=0,
            y1=1,
            line={"color": GREY, "width": 1.5, "dash": "dot"},
        )
        chart.add_annotation(
            x=moment,
            y=1,
            xref="x",
            yref="paper",
            text=update.text,
            showarrow=False,
            yanchor="bottom",
        )
