"""A report → pages that need no server and no network: templates and Plotly charts."""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from tasks.night import SEVERITY
from tasks.records import Pair
from tasks.report.assets import ASSETS, POLICY
from tasks.report.charts import confusion_chart, recall_chart, top1_chart
from tasks.report.view import Report
from tasks.report.words import STATES

INDEX_PAGE = "index.html"


def night_page(report: Report) -> str:
    """The page of the whole night, ``index.html`` in its folder."""
    return (
        _environment()
        .get_template("night.html")
        .render(
            report=report,
            words=[STATES[state] for state in reversed(SEVERITY)],
            top1_chart=top1_chart(report.pairs, report.intervals),
            assets=ASSETS,
        )
    )


def evaluation_page(report: Report, pair: Pair) -> str:
    """The page of one pair, to be kept at its ``href`` in the night's folder.

    Raises:
        KeyError: the pair is not of this night.
    """
    view = report.of(pair)
    up = "../" * view.href.count("/")
    scoring = view.scoring
    return (
        _environment()
        .get_template("evaluation.html")
        .render(
            report=report,
            view=view,
            recall_chart=scoring and recall_chart(scoring, report.intervals),
            confusion_chart=scoring and confusion_chart(scoring),
            home=f"{up}{INDEX_PAGE}",
            assets=f"{up}{ASSETS}",
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("tasks.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["policy"] = POLICY
    return environment
