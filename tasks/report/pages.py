"""Pages at rest: the folder of a night, and the page of all nights beside it."""

from collections.abc import Mapping
from datetime import UTC, datetime

from shards.store import Store
from tasks.gates.overrides import override_notes
from tasks.layout import HISTORY_PAGE, NIGHTS, night_folder, night_report
from tasks.metrics.scoring import Scoring
from tasks.night import Night
from tasks.report.assets import put_script, write_assets
from tasks.report.build import build_report
from tasks.report.class_csv import class_csv
from tasks.report.galleries import write_gallery
from tasks.report.gallery import PICTURES
from tasks.report.history import read_history
from tasks.report.html import INDEX_PAGE, evaluation_page, history_page, night_page
from tasks.report.junit import junit_xml
from tasks.report.markdown import night_markdown
from tasks.report.overview import build_overview
from tasks.report.thresholds import class_curves, curve_files
from tasks.report.trend import TREND_NIGHTS
from tasks.report.view import Report
from tasks.stored import finished_nights

METRICS, CLASSES, SUMMARY, JUNIT = "metrics.json", "classes.csv", "summary.md", "junit.xml"
"""The twins of pages, for machines."""


def compose_report(store: Store, night: Night, scorings: Mapping[str, Scoring]) -> Report:
    """The report of a night, with what was decided about it and the last nights before it.

    Raises:
        ShardError: a decision is unreadable.
    """
    before = [name for name in finished_nights(store) if name < night.name]
    earlier = read_history(store, before[1 - TREND_NIGHTS :])
    overrides = override_notes(store, night.outcomes, datetime.now(UTC))
    return build_report(_told_abroad(store, night), scorings, overrides, earlier)


def _told_abroad(store: Store, night: Night) -> Night:
    """The night with no folder of this machine in its sentences: its pages are sent to others."""
    outcomes = tuple(
        outcome.model_copy(
            update={
                "message": store.without_root(outcome.message),
                "findings": tuple(
                    found.model_copy(update={"sentence": store.without_root(found.sentence)})
                    for found in outcome.findings
                ),
            }
        )
        for outcome in night.outcomes
    )
    return night.model_copy(update={"outcomes": outcomes})


def write_night(store: Store, report: Report, thumbnails: int = PICTURES) -> str:
    """Write the pages of a night, the first one last; returns where that lies.

    Of each pair at most so many ``thumbnails`` are copied from the shards.
    """
    folder = night_folder(report.night.name)
    write_assets(store, folder)
    for view in report.pairs:
        if view.scoring is not None:
            gallery = write_gallery(store, report, view, thumbnails)
            curves = class_curves(store, view.pair.name, view.scoring)
            for name, classes in curve_files(curves).items():
                store.publish(f"{folder}/{view.pair}/{name}.js", put_script(name, classes))
            with_curve = tuple(curve.index for curve in curves)
            page = evaluation_page(report, view.pair, gallery, with_curve)
            store.publish(f"{folder}/{night_report(view.pair.name)}", page.encode())
            store.publish(f"{folder}/{view.pair}/{METRICS}", view.scoring.to_json())
            store.publish(f"{folder}/{view.pair}/{CLASSES}", class_csv(view.scoring))
    store.publish(f"{folder}/{SUMMARY}", night_markdown(report).encode())
    store.publish(f"{folder}/{JUNIT}", junit_xml(report.night))
    store.publish(f"{folder}/{INDEX_PAGE}", night_page(report).encode())
    return store.locate(f"{folder}/{INDEX_PAGE}")


def write_history(store: Store) -> str:
    """Write the page of all nights; returns where it lies.

    Whole files replace each other, and a night that ends meanwhile is taken in: of several writers
    the last one to look has listed all.
    """
    write_assets(store, NIGHTS)
    listed = None
    while (names := finished_nights(store)) != listed:
        page = history_page(build_overview(read_history(store, names)))
        store.publish(HISTORY_PAGE, page.encode())
        listed = names
    return store.locate(HISTORY_PAGE)
