"""Verb: a finished night → its folder of pages and records, and a Prefect artifact."""

import io
from collections.abc import Mapping
from datetime import UTC, datetime

import pyarrow.parquet as pq
from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from shards.store import Store
from tasks.gates.overrides import override_notes
from tasks.layout import NIGHT, night_folder, night_report
from tasks.metrics.scoring import Scoring
from tasks.night import Night
from tasks.report.build import build_report
from tasks.report.history import metrics_table
from tasks.report.html import evaluation_page, night_page, plotly_script
from tasks.report.markdown import night_markdown
from tasks.report.view import Report

INDEX = "index.html"


@task(name="publish", task_run_name="publish {night.name}", cache_policy=NO_CACHE)
def publish_night(store: Store, night: Night, scorings: Mapping[str, Scoring]) -> str:
    """Write the night's folder, night.json last; returns where the first page lies."""
    report = _report(store, night, scorings)
    page = _write_pages(store, report)
    sink = io.BytesIO()
    pq.write_table(metrics_table(night, scorings), sink)
    folder = night_folder(night.name)
    store.publish(f"{folder}/metrics.parquet", sink.getvalue())
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
    store.publish(f"{folder}/plotly.min.js", plotly_script())
    for view in report.pairs:
        if view.scoring is not None:
            page = evaluation_page(report, view.pair)
            store.publish(f"{folder}/{night_report(view.pair.name)}", page.encode())
    store.publish(f"{folder}/summary.md", night_markdown(report).encode())
    store.publish(f"{folder}/{INDEX}", night_page(report).encode())
    return store.locate(f"{folder}/{INDEX}")
