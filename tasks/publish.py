"""Verb: a finished night → its folder of pages and records, and a Prefect artifact."""

from collections.abc import Mapping
from datetime import UTC, datetime

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from shards.store import Store
from tasks.gates.overrides import override_notes
from tasks.layout import NIGHT, night_folder, night_metrics, night_report
from tasks.metrics.scoring import Scoring
from tasks.night import Night
from tasks.report.assets import ASSETS, asset_files
from tasks.report.build import build_report
from tasks.report.history import metrics_table
from tasks.report.html import evaluation_page, night_page
from tasks.report.markdown import night_markdown
from tasks.report.view import Report
from tasks.tables import table_bytes

INDEX = "index.html"


@task(name="publish", task_run_name="publish {night.name}", cache_policy=NO_CACHE)
def publish_night(store: Store, night: Night, scorings: Mapping[str, Scoring]) -> str:
    """Write the night's folder, night.json last; returns where the first page lies."""
    report = _report(store, night, scorings)
    page = _write_pages(store, report)
    folder = night_folder(night.name)
    store.publish(night_metrics(night.name), table_bytes(metrics_table(night, scorings)))
    store.publish(f"{folder}/{NIGHT}", night.to_json())
    create_markdown_artifact(
        key="night",
        markdown=night_markdown(report),
        description=f"{night.plan}: {night.state}",
    )
    return page


def write_pages(store: Store, night: Night, scorings: Mapping[str, Scoring]) -> str:
    """Write the pages of a night from its records; returns where the first one lies."""
    return _write_pages(store, _report(store, night, scorings))


def _report(store: Store, night: Night, scorings: Mapping[str, Scoring]) -> Report:
    overrides = override_notes(store, night.outcomes, datetime.now(UTC))
    return build_report(night, scorings, overrides)


def _write_pages(store: Store, report: Report) -> str:
    folder = night_folder(report.night.name)
    for name, content in asset_files().items():
        store.publish(f"{folder}/{ASSETS}/{name}", content)
    for view in report.pairs:
        if view.scoring is not None:
            page = evaluation_page(report, view.pair)
            store.publish(f"{folder}/{night_report(view.pair.name)}", page.encode())
    store.publish(f"{folder}/summary.md", night_markdown(report).encode())
    store.publish(f"{folder}/{INDEX}", night_page(report).encode())
    return store.locate(f"{folder}/{INDEX}")
