"""Each query, run by DuckDB over a real root, gives the numbers of the page."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pytest

from shards.store import Store
from tasks.comparisons import compare_stored
from tasks.gates.baseline import compared_with
from tasks.layout import night_metrics
from tasks.metrics.scoring import Scoring
from tasks.night import Night, Outcome
from tasks.report import receipts
from tasks.report.history import metrics_table
from tasks.report.receipts import Receipt
from tasks.tables import table_bytes
from tasks.targets.overlay import Overlaid
from tests.support.stored import logits, outcome_of, pair_name, store_evaluation, store_night

Rows = list[dict[str, object]]


class Root:
    """A stored night of a model with a baseline, and DuckDB standing in the root."""

    def __init__(self, folder: Path) -> None:
        store = Store.at(folder)
        targets = np.random.default_rng(3).integers(0, 6, 300).tolist()
        targets[5] = None
        errors = [None] * 299 + ["cut off"]
        before = store_evaluation(
            store, pair_name("m"), logits(_known(targets), 6, 1.5, 1), targets, version="1"
        )
        now = store_evaluation(
            store,
            pair_name("m"),
            logits(_known(targets), 6, 2.0, 2),
            targets,
            version="2",
            errors=errors,
        )
        self.scoring: Scoring = now.scoring
        self.comparison, _ = compare_stored(store, before, now)
        note = compared_with(self.comparison, "d1").note
        self.outcome: Outcome = outcome_of(now, comparison=note)
        self.night: Night = store_night(store, 1, self.outcome)
        table = metrics_table(self.night, {str(now.scoring.pair): now.scoring})
        store.publish(night_metrics(self.night.name), table_bytes(table))
        self.duck = duckdb.connect()
        self.duck.execute(f"SET file_search_path = '{folder}'")

    def rows(self, receipt: Receipt | None) -> Rows:
        assert receipt is not None
        found = self.duck.execute(receipt.sql)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Root]:
    made = Root(tmp_path_factory.mktemp("root"))
    yield made
    made.duck.close()


def test_figures_of_the_night(root: Root) -> None:
    rows = root.rows(receipts.night_receipt(root.night))
    assert [row["metric"] for row in rows] == ["top1", "top5"]
    for row in rows:
        metric = root.scoring.metric(str(row["metric"]))
        assert (row["value"], row["low"], row["high"], row["n"]) == (
            (metric.value, metric.low, metric.high, metric.n)
        )


def test_points_of_a_trend(root: Root) -> None:
    for pair in (None, root.outcome.pair.name):
        [row] = root.rows(receipts.trend_receipt("top1", pair))
        assert row["night"] == root.night.name
        assert row["value"] == root.scoring.metric("top1").value


def test_overall_figures(root: Root) -> None:
    rows = root.rows(receipts.overall_receipt(root.night, root.outcome.pair.name))
    assert {row["metric"]: row["value"] for row in rows} == {
        metric.name: metric.value for metric in root.scoring.overall
    }


def test_counts_of_the_predictions(root: Root) -> None:
    [row] = root.rows(receipts.counted_receipt(root.scoring))
    assert row.pop("n") == root.scoring.n == 298
    for name, value in row.items():
        assert value == pytest.approx(root.scoring.metric(name).value, abs=1e-6), name


def test_counts_under_other_targets_are_those_of_the_tallies(root: Root) -> None:
    overlaid = Overlaid(
        file="real.json", file_sha256="0" * 64, digest="1" * 64, kind="corrected", foreign=0
    )
    # Whatever was laid over them, the tallies beside the scoring are of the targets that counted.
    [row] = root.rows(
        receipts.counted_receipt(root.scoring.model_copy(update={"overlaid": overlaid}))
    )
    assert row["n"] == root.scoring.n
    for name in ("top1", "top5"):
        assert row[name] == pytest.approx(root.scoring.metric(name).value, abs=1e-12)


def test_figures_of_classes(root: Root) -> None:
    rows = root.rows(receipts.classes_receipt(root.scoring))
    assert len(rows) == 6
    for row in rows:
        index = int(str(row["class"]))
        metrics = {metric.name: metric.value for metric in root.scoring.of_class(index)}
        assert row["images"] == root.scoring.support[index]
        for name in ("recall", "precision", "f1"):
            assert row[name] == pytest.approx(metrics[name], abs=1e-12)


def test_cells_of_the_confusion(root: Root) -> None:
    rows = root.rows(receipts.confusion_receipt(root.scoring))
    cells = sorted((row["target"], row["prediction"], row["count"]) for row in rows)
    assert cells == sorted(root.scoring.confusion)


def test_mistakes_the_surest_first(root: Root) -> None:
    rows = root.rows(receipts.mistakes_receipt(root.scoring))
    top1 = root.scoring.metric("top1")
    assert top1.hits is not None
    assert len(rows) == min(top1.n - top1.hits, 100)
    probabilities = [row["probability"] for row in rows]
    assert probabilities == sorted(probabilities, reverse=True)


def test_change_against_the_baseline(root: Root) -> None:
    [row] = root.rows(receipts.change_receipt(root.outcome))
    change = root.comparison.change("top1")
    assert change is not None
    assert row["difference"] == pytest.approx(change.difference, abs=1e-12)
    assert (row["fixed"], row["broken"], row["n"]) == (change.fixed, change.broken, change.n)


def test_without_a_comparison_there_is_no_receipt_of_it(root: Root) -> None:
    alone = root.outcome.model_copy(update={"comparison": None})
    assert receipts.change_receipt(alone) is None


def _known(targets: list[int | None]) -> np.ndarray:
    return np.array([0 if target is None else target for target in targets])
