"""Verb: a finished night → its folder of pages and records, and a Prefect artifact."""

import io
from collections.abc import Mapping

import pyarrow.parquet as pq
from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from shards.store import Store
from tasks.layout import NIGHT, night_folder, night_report
from tasks.metrics.scoring import Scoring
from tasks.night import Night
from tasks.report.build import build_report
from tasks.report.history import metrics_table
from tasks.report.html import evaluation_page, night_page, plotly_script
from tasks.report.markdown import night_markdown

INDEX = "index.html"


@task(name="publish", task_run_name="publish {night.name}", cache_policy=NO_CACHE)
def publish_night(store: Store, night: Night, scorings: Mapping[str, Scoring]) -> str:
    """Write the night's folder, night.json last; returns where the first page lies."""
    page = write_pages(store, night, scorings)
    sink = io.BytesIO()
    pq.write_table(metrics_table(night, scorings), sink)
    folder = night_folder(night.name)
    store.publish(f"{folder}/metrics.parquet", sink.getvalue())
    store.publish(f"{folder}/{NIGHT}", night.to_json())
    create_markdown_artifact(
        key="night",
        markdown=night_markdown(build_report(night, scorings)),
        description=f"{night.plan}: {night.state}",
    )
    return page


def write_pages(store: Store, night: Night, scorings: Mapping[str, Scoring]) -> str:
    """Write the pages of a night from its records; returns where the first one lies."""
    folder = night_folder(night.name)
    report = build_report(night, scorings)
    store.publish(f"{folder}/plotly.min.js", plotly_script())
    for outcome in night.outcomes:
        if str(outcome.pair) in scorings:
            page = evaluation_page(report, outcome.pair)
            store.publish(f"{folder}/{night_report(outcome.pair.name)}", page.encode())
    store.publish(f"{folder}/summary.md", night_markdown(report).encode())
    store.publish(f"{folder}/{INDEX}", night_page(report).encode())
    return store.locate(f"{folder}/{INDEX}")
