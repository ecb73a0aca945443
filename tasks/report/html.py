"""A report → pages that need no server and no network: templates and Plotly charts."""

from collections.abc import Iterable, Sequence
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tasks.metrics.scoring import Scoring
from tasks.metrics.words import counted, metric_title
from tasks.night import SEVERITY
from tasks.records import Pair
from tasks.report.assets import ASSETS, POLICY, script_json
from tasks.report.chart import Chart
from tasks.report.charts import confusion_chart
from tasks.report.compare_view import CompareView
from tasks.report.confusion_view import confusion_json
from tasks.report.curve_charts import reliability_chart, risk_chart
from tasks.report.galleries import GalleryNote
from tasks.report.metric_choice import choices_json
from tasks.report.overview import Overview
from tasks.report.receipts import (
    Receipt,
    change_receipt,
    classes_receipt,
    confusion_receipt,
    counted_receipt,
    night_receipt,
    overall_receipt,
    trend_receipt,
)
from tasks.report.row_charts import recall_chart, slices_chart, top1_chart
from tasks.report.sparks import Spark, spark
from tasks.report.thresholds import CLASSES_PER_FILE, NAME
from tasks.report.trend import Trend
from tasks.report.trend_charts import trend_chart
from tasks.report.view import PairView, Report
from tasks.report.words import STATES, StateWord

INDEX_PAGE = "index.html"
WORDS = tuple(STATES[state] for state in reversed(SEVERITY))
SIGNS = (("●", "passed"), ("✕", "failed"), ("◆", "inconclusive"), ("■", "incomplete or unusable"))
"""The signs of points in trends."""
USUAL_METRIC = "top1"
"""What trends show unless another metric is chosen."""


def night_page(report: Report) -> str:
    """The page of the whole night, ``index.html`` in its folder."""
    changes = (change_receipt(outcome) for outcome in report.night.outcomes)
    return _page(
        "night.html",
        report=report,
        words=WORDS,
        signs=SIGNS,
        top1_chart=top1_chart(report.pairs, report.intervals),
        trend_charts=_trend_charts(report.trends, ".."),
        receipts={"figures": night_receipt(report.night), "trend": trend_receipt("top1")},
        change_receipts=[found for found in changes if found is not None],
        assets=ASSETS,
    )


def history_page(overview: Overview) -> str:
    """The page of all nights, ``index.html`` in the folder of nights."""
    nights = counted(len(overview.nights), "night")
    return _page(
        "history.html",
        overview=overview,
        headline=f"{nights}, {counted(len(overview.grid), 'pair')}" if overview.grid else nights,
        words=WORDS,
        signs=SIGNS,
        charts=_trend_charts(overview.trends, "."),
        usual=(USUAL_METRIC, metric_title(USUAL_METRIC)),
        metrics=Markup(choices_json(overview.choices)),  # noqa: S704
        trend_receipt=trend_receipt(USUAL_METRIC),
        assets=ASSETS,
    )


def evaluation_page(
    report: Report,
    pair: Pair,
    gallery: GalleryNote | None = None,
    with_curve: Sequence[int] = (),
) -> str:
    """The page of one pair, to be kept at its ``href`` in the night's folder.

    Args:
        report: the night.
        pair: one of its pairs.
        gallery: what lies beside the page to be shown; None where there are no images.
        with_curve: the classes whose curves lie beside the page.

    Raises:
        KeyError: the pair is not of this night.
    """
    view = report.of(pair)
    up = "../" * view.href.count("/")
    scoring = view.scoring
    matrix = scoring and confusion_chart(scoring)
    ordered = scoring is not None and matrix is None and bool(scoring.confusion)
    carried = scoring and script_json(confusion_json(scoring, gallery, ordered=ordered))
    return _page(
        "evaluation.html",
        report=report,
        view=view,
        slices_chart=scoring and slices_chart(scoring, report.intervals),
        recall_chart=scoring and recall_chart(scoring, report.intervals),
        reliability_chart=scoring and reliability_chart(scoring, report.intervals),
        risk_chart=scoring and risk_chart(scoring, report.intervals),
        thresholds=_threshold_choices(view, with_curve),
        curve_files={"classes": CLASSES_PER_FILE, "name": NAME},
        receipts=_receipts(report, scoring) if scoring else {},
        confusion_chart=matrix,
        ordered=ordered,
        carried=carried and Markup(carried),  # noqa: S704
        gallery=gallery,
        sparks=_sparks(report, scoring) if scoring else {},
        lists=dict(gallery.lists) if gallery else {},
        home=f"{up}{INDEX_PAGE}",
        assets=f"{up}{ASSETS}",
    )


def comparison_page(view: CompareView, chart: Chart | None, assets: str, fault: str = "") -> str:
    """The page of a comparison; ``fault`` says why images are missing."""
    return _page("compare.html", view=view, chart=chart, assets=assets, fault=fault)


def _threshold_choices(view: PairView, with_curve: Sequence[int]) -> list[tuple[int, str]]:
    """The classes to choose from, the worst recall first, as in the table."""
    wanted = set(with_curve)
    return [(row.index, row.label) for row in view.classes if row.index in wanted]


def _receipts(report: Report, scoring: Scoring) -> dict[str, Receipt]:
    return {
        "overall": overall_receipt(report.night, scoring.pair.name),
        "counted": counted_receipt(scoring),
        "classes": classes_receipt(scoring),
        "confusion": confusion_receipt(scoring),
    }


def _sparks(report: Report, scoring: Scoring) -> dict[int, Spark]:
    """By class index; classes with fewer than two nights have none."""
    index = {key: place for place, key in enumerate(scoring.class_ids)}
    series = report.history.of_classes(scoring.pair.name, "recall")
    lines = ((index[key], spark(found)) for key, found in series.items() if key in index)
    return {place: line for place, line in lines if line is not None}


def _trend_charts(trends: Iterable[Trend], nights: str) -> list[tuple[str, StateWord, Chart]]:
    return [
        (f"{trend.model} on {trend.split}", trend.state, trend_chart(trend, nights))
        for trend in trends
    ]


def _page(template: str, **values: object) -> str:
    return _environment().get_template(template).render(**values)


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
