"""Plotly figures of confidence: is it honest, and what is left if only the sure ones are used.

The look is that of ``charts.py``; every figure shows its interval, and n where it is hovered over.
"""

import plotly.graph_objects as go

from tasks.metrics.scoring import Scoring
from tasks.report.chart import Chart
from tasks.report.charts import GREY, GRID, OKABE_ITO, look

BLUE, ORANGE = OKABE_ITO[0], OKABE_ITO[1]
HEIGHT = 380


def reliability_chart(scoring: Scoring, intervals: str) -> Chart | None:
    """Accuracy against confidence in bins of equal width; None without any sample in them."""
    bins = [found for found in scoring.reliability if found.n]
    if not bins:
        return None
    values = [100 * (found.accuracy or 0.0) for found in bins]
    chart = go.Figure()
    chart.add_trace(
        go.Scatter(
            x=[0, 100],
            y=[0, 100],
            mode="lines",
            name="as sure as right",
            line={"color": GREY, "dash": "dash", "width": 1},
            hoverinfo="skip",
        )
    )
    chart.add_trace(
        go.Scatter(
            x=[100 * (found.mean_confidence or 0.0) for found in bins],
            y=values,
            mode="markers+lines",
            name="this model",
            marker={"color": BLUE, "size": 9},
            line={"color": BLUE, "width": 1},
            error_y=_reach(values, [found.low for found in bins], [found.high for found in bins]),
            hovertext=[
                f"{found.n:,} images, {100 * found.above:.0f} to {100 * found.up_to:.0f} % sure, "
                f"{100 * (found.mean_confidence or 0.0):.1f} % on average; "
                f"{100 * (found.accuracy or 0.0):.1f} % of them are right"
                for found in bins
            ],
            hoverinfo="text",
        )
    )
    _lay_out(chart, "How sure the model is", "How often it is right", [-2, 102])
    caption = (
        f"Reliability: how often the model is right where it is so sure, with its {intervals}. "
        "Below the dashed line it is too sure, above it too modest."
    )
    return Chart.of(chart, "reliability-chart", caption)


def risk_chart(scoring: Scoring, intervals: str) -> Chart | None:
    """Mistakes among the surest predictions, by how many of them are used; None without samples."""
    points = scoring.risk_coverage
    if not points:
        return None
    values = [100 * point.risk for point in points]
    chart = go.Figure(
        go.Scatter(
            x=[100 * point.coverage for point in points],
            y=values,
            mode="markers+lines",
            name="mistakes",
            marker={"color": ORANGE, "size": 8, "symbol": "diamond"},
            line={"color": ORANGE, "width": 1},
            error_y=_reach(values, [p.low for p in points], [p.high for p in points]),
            hovertext=[
                f"the surest {point.n:,} images ({100 * point.coverage:.0f} %, all more than "
                f"{100 * point.confidence:.1f} % sure): {point.errors:,} mistakes, "
                f"{100 * point.risk:.1f} %"
                for point in points
            ],
            hoverinfo="text",
        )
    )
    _lay_out(chart, "Share of the images that is used, the surest first", "Mistakes", None)
    caption = (
        "Risk and coverage: how many mistakes are left if the model answers only where it is "
        f"surest, with their {intervals}."
    )
    return Chart.of(chart, "risk-chart", caption)


def _reach(
    values: list[float], lows: list[float | None], highs: list[float | None]
) -> dict[str, object]:
    """Plotly's error bars, from the ends of intervals; none where there is no interval."""
    down = [0.0 if low is None else v - 100 * low for v, low in zip(values, lows, strict=True)]
    up = [0.0 if high is None else 100 * high - v for v, high in zip(values, highs, strict=True)]
    return {"array": up, "arrayminus": down, "thickness": 1.5, "width": 3}


def _lay_out(chart: go.Figure, x: str, y: str, span: list[float] | None) -> None:
    axis = {"ticksuffix": " %", "gridcolor": GRID, "zeroline": False, "automargin": True}
    chart.update_xaxes(title={"text": x, "font": {"size": 13}}, range=[-2, 102], **axis)
    chart.update_yaxes(title={"text": y, "font": {"size": 13}}, range=span, **axis)
    chart.update_layout(**look(height=HEIGHT), showlegend=span is not None)
