"""The look that all Plotly figures share, and the confusion matrix.

Backgrounds are transparent and the grey of the text reads on white and on black; the page's style
sheet sharpens it. Colours are told apart by colour-blind people (Okabe and Ito 2008), and a symbol
repeats what a colour says. Plotly reads pseudo-HTML in labels, so names are escaped.
"""

import html

import plotly.graph_objects as go

from tasks.metrics.scoring import Scoring
from tasks.metrics.words import class_labels
from tasks.report.chart import Chart

MOST_CLASSES = 50
"""Charts of more classes than this cannot be read, and are not drawn."""

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
BLUES = ("rgba(47, 136, 200, 0.18)", "rgba(47, 136, 200, 0.7)")
"""See-through: what there is most of stands out most, on light and on dark; the ink of style.css
reads on all of them (contrast of at least 4.5)."""
GREY = "#7d7d7d"
GRID = "rgba(128, 128, 128, 0.22)"
CLEAR = "rgba(0, 0, 0, 0)"
LABEL_LENGTH = 22
COUNTS_FIT = 16
"""Up to so many classes, the counts are written into the cells."""


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
