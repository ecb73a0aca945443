"""Views of the current, whole evaluations; and the command that asks them."""

import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from flows.cli.main import app
from shards.errors import InputError
from shards.store import Store
from tasks.layout import night_metrics
from tasks.report.history import metrics_table
from tasks.stored import StoredScoring
from tasks.tables import table_bytes
from tasks.views import current_evaluations, open_views
from tests.support.stored import logits, outcome_of, pair_name, store_evaluation, store_night

TARGETS = np.random.default_rng(1).integers(0, 4, 250)


def stored(store: Store, model: str, version: str) -> StoredScoring:
    scores = logits(TARGETS, 4, 2.0, int(version))
    return store_evaluation(store, pair_name(model), scores, TARGETS.tolist(), version=version)


def add_night(store: Store, number: int, *found: StoredScoring, quick: int | None = None) -> None:
    night = store_night(store, number, *map(outcome_of, found), quick=quick)
    scorings = {str(one.scoring.pair): one.scoring for one in found}
    store.publish(night_metrics(night.name), table_bytes(metrics_table(night, scorings)))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two pairs; the newest night of one of them lost a file, and the last night was quick."""
    made = Store.at(tmp_path / "it's a root")
    old, new, other = stored(made, "a", "1"), stored(made, "a", "2"), stored(made, "b", "3")
    add_night(made, 0, old, other)
    broken = stored(made, "b", "4")
    made.remove(broken.evaluation.predictions[1])
    add_night(made, 1, new, broken)
    add_night(made, 2, old, other, quick=1)
    return made


def test_the_newest_whole_evaluation_of_each_pair_is_current(store: Store) -> None:
    found = [
        (c.night[-2:], c.evaluation.pair.model, c.evaluation.run)
        for c in current_evaluations(store)
    ]
    assert found == [("n1", "a", "r2"), ("n0", "b", "r3")]


def test_predictions_are_those_of_the_current_evaluations(store: Store) -> None:
    connection = open_views(store)
    query = """SELECT model, avg((target_rank = 0)::INT) AS top1, count(*) AS n
        FROM predictions GROUP BY model ORDER BY model"""
    rows = connection.execute(query).fetchall()
    wanted = {"a": "2", "b": "3"}
    assert [(model, n) for model, _, n in rows] == [("a", 250), ("b", 250)]
    for model, top1, _ in rows:
        scores = logits(TARGETS, 4, 2.0, int(wanted[model]))
        assert top1 == (scores.argmax(axis=1) == TARGETS).mean()
    assert connection.execute("SELECT model, night FROM evaluations").fetchall()
    connection.close()


def test_metrics_are_of_every_night(store: Store) -> None:
    connection = open_views(store)
    query = "SELECT count(DISTINCT night), count(*) FILTER (quick = 1) > 0 FROM metrics"
    assert connection.execute(query).fetchall() == [(3, True)]
    connection.close()


def test_an_empty_root_has_empty_views(tmp_path: Path) -> None:
    connection = open_views(Store.at(tmp_path))
    for view, column in (
        ("predictions", "target_rank"),
        ("evaluations", "files"),
        ("metrics", "low"),
    ):
        assert connection.execute(f"SELECT {column} FROM {view}").fetchall() == []  # noqa: S608
    connection.close()


def test_the_command_prints_rows_and_csv(store: Store) -> None:
    asked = [
        "sql",
        "--root",
        store.root,
        "SELECT model, run_of FROM (SELECT model, 1 AS run_of FROM evaluations)",
    ]
    table = CliRunner().invoke(app, asked)
    assert table.stdout.split() == ["model", "run_of", "a", "1", "b", "1"]
    piped = CliRunner().invoke(
        app, ["sql", "--csv", "--root", store.root], input="SELECT 1 AS one; SELECT 2 AS two"
    )
    assert piped.stdout == "two\n2\n"


def test_a_wrong_query_is_one_sentence(store: Store) -> None:
    found = CliRunner().invoke(app, ["sql", "--root", store.root, "SELECT nothing"])
    assert isinstance(found.exception, InputError)
    assert "nothing" in str(found.exception)


def test_without_duckdb_the_command_says_what_to_install(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(InputError, match=r"nightmark\[sql\]"):
        open_views(store)
