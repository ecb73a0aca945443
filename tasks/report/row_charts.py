"""Plotly figures of dots in rows: one figure a row, with the line of its interval."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from tasks.metrics.metric import Metric
from tasks.metrics.scoring import Scoring
from tasks.metrics.words import class_labels, counted
from tasks.report.chart import Chart
from tasks.report.charts import (
    GREY,
    GRID,
    MOST_CLASSES,
    OKABE_ITO,
    escaped,
    look,
    short_label,
)
from tasks.report.classes import present_classes
from tasks.report.view import PairView
from tasks.report.words import figure_of

SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "star")
ROW_HEIGHT = {"pair": 52, "class": 24}
MOST_SLICES = MOST_CLASSES
"""Of more the lowest are drawn."""


@dataclass(frozen=True, slots=True)
class Dots:
    """Figures in rows, as percentages, with what reaches down and up to the interval's ends."""

    values: list[float]
    down: list[float]
    up: list[float]
    hover: list[str]

    @classmethod
    def of(cls, names: Sequence[str], metrics: Sequence[Metric]) -> "Dots":
        found = cls([], [], [], [])
        for name, metric in zip(names, metrics, strict=True):
            value = 100 * (metric.value or 0.0)
            found.values.append(value)
            found.down.append(0.0 if metric.low is None else max(value - 100 * metric.low, 0.0))
            found.up.append(0.0 if metric.high is None else max(100 * metric.high - value, 0.0))
            found.hover.append(f"{escaped(name)}: {figure_of(metric)}, n = {metric.n:,}")
        return found

    def trace(self, rows: Sequence[int], name: str, colour: str, symbol: str) -> go.Scatter:
        """The dots in these rows, with a line to each end of their intervals."""
        return go.Scatter(
            x=self.values,
            y=list(rows),
            mode="markers",
            name=escaped(name),
            marker={"color": colour, "size": 10, "symbol": symbol},
            error_x={
                "array": self.up,
                "arrayminus": self.down,
                "color": colour,
                "thickness": 2,
                "width": 4,
            },
            hovertext=self.hover,
            hoverinfo="text",
        )


def top1_chart(pairs: Sequence[PairView], intervals: str) -> Chart | None:
    """Top-1 of each pair with its interval, and what its gates demand; None without any figure."""
    shown = [view for view in pairs if view.top1.defined and view.scoring is not None]
    if not shown:
        return None
    rows = {str(view.pair): row for row, view in enumerate(shown)}
    chart = go.Figure()
    for number, split in enumerate(dict.fromkeys(view.split for view in shown)):
        of_split = [view for view in shown if view.split == split]
        metrics = [view.scoring.metric("top1") for view in of_split if view.scoring is not None]
        dots = Dots.of([view.title for view in of_split], metrics)
        places = [rows[str(view.pair)] for view in of_split]
        chart.add_trace(dots.trace(places, split, *_look_of(number)))
    _add_demands(chart, [_demanded(view) for view in shown])
    labels = [
        f"<b>{short_label(view.pair.model)}</b><br>{short_label(view.split)}" for view in shown
    ]
    lay_out_rows(chart, labels, "Top-1 accuracy", "pair")
    chart.update_layout(showlegend=True)
    caption = f"Top-1 accuracy with its {intervals}; a grey stroke is what a gate requires."
    return Chart.of(chart, "top1-chart", caption)


def recall_chart(scoring: Scoring, intervals: str) -> Chart | None:
    """Recall per class present, the worst on top; None where there are too many or none."""
    present = present_classes(scoring)
    if not 0 < len(present) <= MOST_CLASSES:
        return None
    recall = {m.class_index: m for m in scoring.per_class if m.name == "recall"}
    names = class_labels(scoring.class_names, scoring.class_ids)
    labels = [names[index] for index in present]
    dots = Dots.of(labels, [recall[index] for index in present])
    chart = go.Figure(dots.trace(list(range(len(present))), "recall", *_look_of(0)))
    lay_out_rows(chart, [short_label(label) for label in labels], "Recall", "class")
    caption = f"Recall of each class that has samples, with its {intervals}; the worst on top."
    return Chart.of(chart, "recall-chart", caption)


def slices_chart(scoring: Scoring, intervals: str) -> Chart | None:
    """Top-1 of each slice that has a figure, in the order of the plan; None without any.

    Of more than can be read those with the lowest figures.
    """
    slices = [metric for metric in scoring.slices if metric.name == "top1"]
    figures = [metric for metric in slices if metric.value is not None]
    lowest = sorted(figures, key=lambda metric: metric.value or 0.0)[:MOST_SLICES]
    kept = {metric.slice for metric in lowest}
    shown = [metric for metric in figures if metric.slice in kept]
    if not shown:
        return None
    chart = go.Figure()
    _add_overall(chart, scoring.metric("top1"), len(shown))
    fields = [(metric.slice or "").partition("=")[0] for metric in shown]
    for number, field in enumerate(dict.fromkeys(fields)):
        rows = [row for row, found in enumerate(fields) if found == field]
        of_field = [shown[row] for row in rows]
        dots = Dots.of([metric.slice or "" for metric in of_field], of_field)
        chart.add_trace(dots.trace(rows, field, *_look_of(number)))
    # The legend names the fields; on a phone there is room for their values alone.
    labels = [short_label((metric.slice or "").partition("=")[2]) for metric in shown]
    lay_out_rows(chart, labels, "Top-1 accuracy", "class")
    chart.update_layout(showlegend=True)
    caption = (
        f"Top-1 accuracy of each slice with its {intervals}; the dashed line is all images "
        f"together.{_left_out(len(shown), len(figures), len(slices))}"
    )
    return Chart.of(chart, "slices-chart", caption)


def _left_out(shown: int, figures: int, slices: int) -> str:
    """Which slices stand in the table alone, in sentences."""
    lowest = f" The {shown} lowest of {figures:,}." if shown < figures else ""
    without = counted(slices - figures, "slice is", "slices are")
    small = f" {without} in the table alone, without a figure." if figures < slices else ""
    return lowest + small


def _add_overall(chart: go.Figure, overall: Metric, rows: int) -> None:
    if overall.value is None:
        return
    chart.add_trace(
        go.Scatter(
            x=[100 * overall.value] * 2,
            y=[-0.6, rows - 0.4],
            mode="lines",
            name="all images",
            line={"color": GREY, "dash": "dash", "width": 1.5},
            hoverinfo="skip",
        )
    )


def _look_of(number: int) -> tuple[str, str]:
    """The colour and the symbol of the ``number``-th series."""
    return OKABE_ITO[number % len(OKABE_ITO)], SYMBOLS[number % len(SYMBOLS)]


def _demanded(view: PairView) -> list[float]:
    gates = (row.gate for row in view.findings)
    return [
        100 * gate.min
        for gate in gates
        if gate.metric == "top1" and gate.min is not None and gate.severity == "fail"
    ]


def _add_demands(chart: go.Figure, demands: Sequence[Sequence[float]]) -> None:
    points = [(bound, row) for row, bounds in enumerate(demands) for bound in bounds]
    if not points:
        return
    chart.add_trace(
        go.Scatter(
            x=[bound for bound, _ in points],
            y=[row for _, row in points],
            mode="markers",
            name="required",
            marker={"symbol": "line-ns-open", "size": 26, "color": GREY, "line": {"width": 2}},
            hovertext=[f"at least {bound:.1f} % required" for bound, _ in points],
            hoverinfo="text",
        )
    )


def lay_out_rows(chart: go.Figure, labels: list[str], title: str, kind: str) -> None:
    """Percentages from left to right, the first row on top; ``kind`` says how high a row is."""
    chart.update_xaxes(
        title={"text": title, "font": {"size": 13}},
        range=[-1, 101],
        ticksuffix=" %",
        gridcolor=GRID,
        zeroline=False,
        nticks=6,
        autotickangles=[0, 90],
        automargin=True,
    )
    chart.update_yaxes(
        tickvals=list(range(len(labels))),
        ticktext=labels,
        range=[len(labels) - 0.4, -0.6],
        gridcolor=GRID,
        zeroline=False,
        automargin=True,
    )
    chart.update_layout(**look(height=130 + ROW_HEIGHT[kind] * len(labels)))
