"""A report → pages that need no server and no network: templates and Plotly charts."""

from functools import cache

import plotly.offline
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tasks.night import SEVERITY
from tasks.records import Pair
from tasks.report.charts import confusion_chart, recall_chart, top1_chart
from tasks.report.view import PairView, Report
from tasks.report.words import STATES

PLOTLY_SCRIPT = "plotly.min.js"
"""In the night's folder; every page refers to it by a relative path."""

INDEX_PAGE = "index.html"


def night_page(report: Report) -> str:
    """The page of the whole night, ``index.html`` in its folder."""
    return (
        _environment()
        .get_template("night.html")
        .render(
            report=report,
            words=[STATES[state] for state in reversed(SEVERITY)],
            top1_chart=_marked_up(top1_chart(report.pairs)),
            script=PLOTLY_SCRIPT,
        )
    )


def evaluation_page(report: Report, pair: Pair) -> str:
    """The page of one pair, to be kept at its ``href`` in the night's folder.

    Raises:
        KeyError: the pair is not of this night.
    """
    view = report.of(pair)
    up = "../" * view.href.count("/")
    return (
        _environment()
        .get_template("evaluation.html")
        .render(
            report=report,
            view=view,
            recall_chart=_chart_of(view, "recall"),
            confusion_chart=_chart_of(view, "confusion"),
            home=f"{up}{INDEX_PAGE}",
            script=f"{up}{PLOTLY_SCRIPT}",
        )
    )


def plotly_script() -> bytes:
    """What belongs into the night's folder as ``PLOTLY_SCRIPT``: plotly.js as Plotly ships it."""
    script: str = plotly.offline.get_plotlyjs()
    return script.encode()


def _chart_of(view: PairView, kind: str) -> Markup | None:
    if view.scoring is None:
        return None
    draw = {"recall": recall_chart, "confusion": confusion_chart}[kind]
    return _marked_up(draw(view.scoring))


def _marked_up(fragment: str | None) -> Markup | None:
    # The one place where markup passes unescaped: Plotly writes JSON with < and > encoded.
    return None if fragment is None else Markup(fragment)  # noqa: S704


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("tasks.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
