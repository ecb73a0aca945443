"""Verb: a finished night → its folder of pages and records, and what its run shows in the UI."""

import re
from collections.abc import Mapping
from pathlib import Path

from prefect import get_run_logger, task
from prefect.artifacts import (
    create_image_artifact,
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)
from prefect.cache_policies import NO_CACHE

from shards.errors import StoreError
from shards.store import Store
from tasks.layout import NIGHT, night_folder, night_metrics
from tasks.metrics.scoring import Scoring
from tasks.night import Night
from tasks.report.classes import worst_classes
from tasks.report.confusion_image import confusion_png, data_uri
from tasks.report.history import metrics_table
from tasks.report.html import INDEX_PAGE
from tasks.report.markdown import night_markdown
from tasks.report.pages import compose_report, write_history, write_night
from tasks.report.prometheus import prometheus_text
from tasks.report.view import Report
from tasks.tables import table_bytes

SHOWN_MATRICES = 3
"""Of so many pairs, the worst first, a run carries a picture."""


@task(name="publish", task_run_name="publish {night.name}", cache_policy=NO_CACHE)
def publish_night(
    store: Store,
    night: Night,
    scorings: Mapping[str, Scoring],
    reports_url: str,
    thumbnails: int,
    prometheus: Path | None = None,
) -> str:
    """Write the night's folder, night.json last, then the page of all nights.

    A whole night also writes the text file ``prometheus``. The run's artifacts lead to the night
    under ``reports_url``; so many ``thumbnails`` of each pair are kept with it. Returns where the
    first page lies.
    """
    report = compose_report(store, night, scorings)
    page = write_night(store, report, thumbnails)
    store.publish(night_metrics(night.name), table_bytes(metrics_table(night, scorings)))
    store.publish(f"{night_folder(night.name)}/{NIGHT}", night.to_json())
    write_history(store)
    if prometheus is not None and night.kind == "night" and night.quick is None:
        _tell_prometheus(prometheus, prometheus_text(night, scorings))
    _show(report, f"{reports_url.rstrip('/')}/{night.name}/{INDEX_PAGE}")
    return page


def _show(report: Report, link: str) -> None:
    """The artifacts of the run, verdicts first."""
    create_markdown_artifact(
        key="night",
        markdown=night_markdown(report),
        description=f"{report.night.plan}: {report.night.state}",
    )
    create_link_artifact(key="report", link=link, link_text=f"Report of {report.night.name}")
    if worst := worst_classes(report.pairs):
        create_table_artifact(
            key="worst-classes",
            table=[row.named() for row in worst],
            description="The lowest recall, over all pairs.",
        )
    measured = [view for view in report.pairs if view.scoring is not None]
    for view in measured[:SHOWN_MATRICES]:
        if view.scoring is not None:
            create_image_artifact(
                key=re.sub("[^a-z0-9]+", "-", f"confusion-{view.pair}"),
                image_url=data_uri(confusion_png(view.scoring)),
                description=f"{view.title}: rows are what the images show, columns what the model "
                "said; the darker, the larger the share.",
            )


def _tell_prometheus(file: Path, text: bytes) -> None:
    """Replace the file whole; a night that is published does not fail for its sake."""
    try:
        Store.at(file.parent).publish(file.name, text)
    except StoreError as error:
        get_run_logger().warning("runtime.prometheus: %s", error)
