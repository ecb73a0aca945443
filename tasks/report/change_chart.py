"""The change of each class as a chart: what is shown, and what only may be so."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from tasks.metrics.change import Change
from tasks.metrics.comparison import Comparison
from tasks.metrics.comparison_words import FALSE_DISCOVERIES, p_text
from tasks.metrics.intervals import CONFIDENCE
from tasks.metrics.words import counted
from tasks.report.chart import Chart
from tasks.report.charts import GREY, MOST_CLASSES, OKABE_ITO, escaped, short_label
from tasks.report.compare_view import ChangeRow
from tasks.report.row_charts import Dots, lay_out_rows

LOOKS: Mapping[str, tuple[str, str, str]] = {
    "worse": ("worse", OKABE_ITO[1], "x"),
    "better": ("better", OKABE_ITO[2], "circle"),
    "not shown": ("no change shown", GREY, "diamond-open"),
}
"""The word in the legend, the colour and the symbol of each direction."""


def change_chart(comparison: Comparison, rows: Sequence[ChangeRow]) -> Chart | None:
    """How the recall of each class changed; None where nothing was compared.

    Args:
        comparison: that of an evaluation with itself has no chart.
        rows: of the classes, the worst fall first. Of more than can be read the largest falls and
            gains are drawn, if there are any.
    """
    there = [row for row in rows if row.change.difference is not None]
    shown, some = _readable(there)
    if not shown or comparison.is_identity:
        return None
    chart = go.Figure()
    for direction, (word, colour, symbol) in LOOKS.items():
        places = [place for place, row in enumerate(shown) if row.direction == direction]
        if places:
            dots = _dots([shown[place] for place in places])
            chart.add_trace(dots.trace(places, word, colour, symbol))
    lay_out_rows(chart, [short_label(row.name) for row in shown], "", "class")
    chart.update_xaxes(
        title={"text": "Change of recall, in points", "font": {"size": 13}},
        range=None,
        ticksuffix="",
        zeroline=True,
        zerolinecolor=GREY,
    )
    chart.update_layout(showlegend=True)
    caption = (
        f"How the recall of each class changed, with its {100 * CONFIDENCE:.4g} % confidence "
        f"interval; the worst fall on top. Better and worse are said where the change holds among "
        f"all classes.{some}"
    )
    return Chart.of(chart, "change-chart", caption)


def _readable(rows: Sequence[ChangeRow]) -> tuple[Sequence[ChangeRow], str]:
    """The rows that a chart has room for, and in a sentence which of many they are."""
    if len(rows) <= MOST_CLASSES:
        return rows, ""
    half = MOST_CLASSES // 2
    falls = [row for row in rows if (row.change.difference or 0.0) < 0][:half]
    gains = [row for row in rows if (row.change.difference or 0.0) > 0][-half:]
    said = " and ".join(
        counted(len(found), f"largest {word}")
        for found, word in ((falls, "fall"), (gains, "gain"))
        if found
    )
    return [*falls, *gains], f" Drawn are the {said} of {len(rows):,} classes."


def _dots(rows: Sequence[ChangeRow]) -> Dots:
    ends = [_ends(row.change) for row in rows]
    return Dots(
        values=[value for _, value, _ in ends],
        down=[value - low for low, value, _ in ends],
        up=[high - value for _, value, high in ends],
        hover=[_hover(row) for row in rows],
    )


def _ends(change: Change) -> tuple[float, float, float]:
    """In points: the low end, the change, the high end."""
    value = change.difference or 0.0
    low, high = change.interval(CONFIDENCE) or (value, value)
    return 100 * low, 100 * value, 100 * high


def _hover(row: ChangeRow) -> str:
    q = row.change.q
    chance = "" if q is None else f", {p_text(q, 'q', (FALSE_DISCOVERIES,))}"
    return f"{escaped(row.name)}: {row.difference} points [{row.interval}]{chance}, n = {row.n}"
