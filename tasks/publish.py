"""Verb: a finished night → its folder of pages and records, and a Prefect artifact."""

import io
from collections.abc import Mapping, Sequence

import pyarrow.parquet as pq
from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from shards.errors import InputError, ShardError
from shards.store import Store
from tasks.layout import NIGHTS, night_folder, night_report
from tasks.metrics.scoring import Scoring
from tasks.night import Night, Outcome
from tasks.report.build import build_report
from tasks.report.history import metrics_table
from tasks.report.html import evaluation_page, night_page, plotly_script
from tasks.report.markdown import night_markdown

INDEX = "index.html"
NIGHT = "night.json"


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


def finished_nights(store: Store) -> list[str]:
    """The names of the stored nights, oldest first; one that was cut off has no record yet."""
    names = store.names(NIGHTS)
    return [name for name in names if store.exists(f"{night_folder(name)}/{NIGHT}")]


def read_record(store: Store, name: str) -> Night:
    """A night's own record.

    Raises:
        InputError: there is no such night.
        ShardError: its record is unreadable.
    """
    if name not in finished_nights(store):
        raise InputError(
            f"{store.locate(NIGHTS)} has no night {name!r}; `nightmark nights` lists them"
        )
    path = f"{night_folder(name)}/{NIGHT}"
    return Night.from_json(store.read(path), store.locate(path))


def read_night(store: Store, name: str) -> tuple[Night, dict[str, Scoring]]:
    """A stored night and the scorings that it refers to.

    Raises:
        InputError: there is no such night.
        ShardError: one of its records is missing or unreadable.
    """
    night = read_record(store, name)
    return night, read_scorings(store, night.outcomes)


def read_scorings(store: Store, outcomes: Sequence[Outcome]) -> dict[str, Scoring]:
    """The scorings of outcomes that have one, by the name of their pair. Raises ShardError."""
    found: dict[str, Scoring] = {}
    for outcome in outcomes:
        if outcome.scoring is None:
            continue
        path = f"{outcome.pair.name.scoring(outcome.scoring)}/metrics.json"
        try:
            scoring = Scoring.from_json(store.read(path), store.locate(path))
        except FileNotFoundError as error:
            raise ShardError(f"{store.locate(path)} is missing; run the night again") from error
        found[str(outcome.pair)] = scoring
    return found
