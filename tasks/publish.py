"""Verb: a finished night → its folder of pages and records, and a Prefect artifact."""

from collections.abc import Mapping
from pathlib import Path

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from shards.errors import StoreError
from shards.store import Store
from tasks.layout import NIGHT, night_folder, night_metrics
from tasks.metrics.scoring import Scoring
from tasks.night import Night
from tasks.report.history import metrics_table
from tasks.report.markdown import night_markdown
from tasks.report.pages import compose_report, write_history, write_night
from tasks.report.prometheus import prometheus_text
from tasks.tables import table_bytes


@task(name="publish", task_run_name="publish {night.name}", cache_policy=NO_CACHE)
def publish_night(
    store: Store, night: Night, scorings: Mapping[str, Scoring], prometheus: Path | None = None
) -> str:
    """Write the night's folder, night.json last, then the page of all nights.

    A whole night also writes the text file ``prometheus``. Returns where the first page lies.
    """
    report = compose_report(store, night, scorings)
    page = write_night(store, report)
    store.publish(night_metrics(night.name), table_bytes(metrics_table(night, scorings)))
    store.publish(f"{night_folder(night.name)}/{NIGHT}", night.to_json())
    write_history(store)
    if prometheus is not None and night.kind == "night" and night.quick is None:
        _tell_prometheus(prometheus, prometheus_text(night, scorings))
    create_markdown_artifact(
        key="night",
        markdown=night_markdown(report),
        description=f"{night.plan}: {night.state}",
    )
    return page


def _tell_prometheus(file: Path, text: bytes) -> None:
    """Replace the file whole; a night that is published does not fail for its sake."""
    try:
        Store.at(file.parent).publish(file.name, text)
    except StoreError as error:
        get_run_logger().warning("runtime.prometheus: %s", error)
