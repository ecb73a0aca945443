"""Plotly figures of nights and pairs.

Backgrounds are transparent and the grey of the text reads on white and on black; the page's style
sheet sharpens it. Colours are told apart by colour-blind people (Okabe and Ito 2008), and a symbol
repeats what a colour says. Plotly reads pseudo-HTML in labels, so names are escaped.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from tasks.metrics.metric import Metric
from tasks.metrics.scoring import Scoring
from tasks.metrics.words import class_labels
from tasks.report.chart import Chart
from tasks.report.classes import present_classes
from tasks.report.view import PairView
from tasks.report.words import figure_of

MOST_CLASSES = 50
"""Charts of more classes than this cannot be read, and are not drawn."""

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "star")
BLUES = ("#e1eef9", "#2f88c8")
CELL_TEXT = "#111111"
"""Reads on every one of the blues (contrast of at least 4.5)."""
GREY = "#7d7d7d"
GRID = "rgba(128, 128, 128, 0.22)"
CLEAR = "rgba(0, 0, 0, 0)"
LABEL_LENGTH = 22
ROW_HEIGHT = {"pair": 52, "class": 24}
COUNTS_FIT = 16
"""Up to so many classes, the counts are written into the cells."""


@dataclass(frozen=True, slots=True)
class _Dots:
    """Figures in rows, as percentages, with what reaches down and up to the interval's ends."""

    values: list[float]
    down: list[float]
    up: list[float]
    hover: list[str]

    @classmethod
    def of(cls, names: Sequence[str], metrics: Sequence[Metric]) -> "_Dots":
        found = cls([], [], [], [])
        for name, metric in zip(names, metrics, strict=True):
            value = 100 * (metric.value or 0.0)
            found.values.append(value)
            found.down.append(0.0 if metric.low is None else max(value - 100 * metric.low, 0.0))
            found.up.append(0.0 if metric.high is None else max(100 * metric.high - value, 0.0))
            found.hover.append(f"{escaped(name)}: {figure_of(metric)}, n = {metric.n:,}")
        return found


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
        dots = _Dots.of([view.title for view in of_split], metrics)
        chart.add_trace(_dots(dots, [rows[str(view.pair)] for view in of_split], number, split))
    _add_demands(chart, [_demanded(view) for view in shown])
    labels = [
        f"<b>{short_label(view.pair.model)}</b><br>{short_label(view.split)}" for view in shown
    ]
    _lay_out_rows(chart, labels, "Top-1 accuracy", "pair")
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
    dots = _Dots.of(labels, [recall[index] for index in present])
    chart = go.Figure(_dots(dots, list(range(len(present))), 0, "recall"))
    _lay_out_rows(chart, [short_label(label) for label in labels], "Recall", "class")
    caption = f"Recall of each class that has samples, with its {intervals}; the worst on top."
    return Chart.of(chart, "recall-chart", caption)


def confusion_chart(scoring: Scoring) -> Chart | None:
    """Heat map; rows = target, columns = prediction, colour = share of the images of the target.

    Of a dataset with more classes than can be drawn, those that occur as target or prediction;
    None where these are too many, too, or there are none.
    """
    classes = list(range(len(scoring.support)))
    if len(classes) > MOST_CLASSES:
        classes = sorted({index for cell in scoring.confusion for index in cell[:2]})
    if not scoring.confusion or len(classes) > MOST_CLASSES:
        return None
    place = {index: position for position, index in enumerate(classes)}
    names = class_labels(scoring.class_names, scoring.class_ids)
    side = range(len(classes))
    shares: list[list[float | None]] = [[None for _ in side] for _ in side]
    counts = [["" for _ in side] for _ in side]
    hover = [["" for _ in side] for _ in side]
    for target, prediction, count in scoring.confusion:
        row, column = place[target], place[prediction]
        shares[row][column] = 100 * count / scoring.support[target]
        counts[row][column] = f"{count:,}"
        hover[row][column] = (
            f"{escaped(names[target])} taken for {escaped(names[prediction])}: "
            f"{count:,} of {scoring.support[target]:,}"
        )
    chart = _heat_map(shares, counts, hover, [short_label(names[index]) for index in classes])
    chart.update_traces(meta={"classes": classes})
    return Chart.of(
        chart,
        "confusion-chart",
        "Confusion: rows are what the images show, columns what the model said. The colour is the "
        "share of a row’s images; an empty cell is zero.",
    )


def _heat_map(
    shares: list[list[float | None]],
    counts: list[list[str]],
    hover: list[list[str]],
    labels: list[str],
) -> go.Figure:
    positions = list(range(len(labels)))
    chart = go.Figure(
        go.Heatmap(
            z=shares,
            text=counts,
            texttemplate="%{text}" if len(labels) <= COUNTS_FIT else None,
            hovertext=hover,
            hoverinfo="text",
            hoverongaps=False,
            colorscale=list(BLUES),
            textfont={"color": CELL_TEXT},
            zmin=0,
            zmax=100,
            xgap=1,
            ygap=1,
            colorbar={
                "ticksuffix": " %",
                "thickness": 10,
                "outlinewidth": 0,
            },
        )
    )
    ticks = {"tickvals": positions, "ticktext": labels, "showgrid": False, "zeroline": False}
    chart.update_xaxes(tickangle=-60, automargin=True, **ticks)
    chart.update_yaxes(autorange="reversed", automargin=True, **ticks)
    chart.update_layout(**look(height=max(380, 190 + 22 * len(labels))))
    return chart


def _dots(dots: _Dots, rows: list[int], number: int, name: str) -> go.Scatter:
    colour = OKABE_ITO[number % len(OKABE_ITO)]
    return go.Scatter(
        x=dots.values,
        y=rows,
        mode="markers",
        name=escaped(name),
        marker={"color": colour, "size": 10, "symbol": SYMBOLS[number % len(SYMBOLS)]},
        error_x={
            "array": dots.up,
            "arrayminus": dots.down,
            "color": colour,
            "thickness": 2,
            "width": 4,
        },
        hovertext=dots.hover,
        hoverinfo="text",
    )


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


def _lay_out_rows(chart: go.Figure, labels: list[str], title: str, kind: str) -> None:
    chart.update_xaxes(
        title={"text": title, "font": {"size": 13}},
        range=[-1, 101],
        ticksuffix=" %",
        gridcolor=GRID,
        zeroline=False,
        nticks=6,
        tickangle=0,
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


def look(height: int) -> dict[str, object]:
    """The layout that all charts share; ``height`` in pixels."""
    return {
        "template": go.layout.Template(),
        "height": height,
        "margin": {"l": 8, "r": 24, "t": 8, "b": 8},
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "font": {"color": GREY, "size": 13, "family": "system-ui, sans-serif"},
        "legend": {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
        "dragmode": False,
        "hoverlabel": {"align": "left"},
    }


def short_label(name: str) -> str:
    """Short enough for an axis; the whole name is in the hover text."""
    return escaped(name if len(name) <= LABEL_LENGTH else name[: LABEL_LENGTH - 1] + "…")


def escaped(name: str) -> str:
    """Text for Plotly, which reads markup in labels."""
    return html.escape(name, quote=False)
