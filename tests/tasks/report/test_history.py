"""The long table holds every metric of every pair, once."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shards.store import Store
from tasks.layout import night_metrics
from tasks.metrics.metric import Metric
from tasks.metrics.summary import CLASS_NAMES
from tasks.report.history import ADDED, NOT_MEASURED, SCHEMA, metrics_table, read_history
from tasks.tables import read_table, table_bytes
from tests.tasks.report.nights import NightCase, make_night


def test_one_row_per_metric_in_the_order_of_the_outcomes(case: NightCase) -> None:
    table = metrics_table(case.night, case.scorings).to_pylist()
    rows = [row for row in table if row["state"] != NOT_MEASURED]
    wanted = [
        (str(scoring.pair), scoring.evaluation, metric)
        for scoring in case.scorings.values()
        for metric in (*scoring.overall, *scoring.per_class)
    ]
    assert len(rows) == len(wanted)
    for row, (pair, evaluation, metric) in zip(rows, wanted, strict=True):
        assert "/".join((row["dataset"], row["split"], row["model"])) == pair
        assert (row["night"], row["evaluation"]) == (case.night.name, evaluation)
        figures = (metric.value, metric.low, metric.high, metric.n)
        assert (row["value"], row["low"], row["high"], row["n"]) == figures
        assert (row["metric"], row["scope"], row["state"]) == (
            metric.name,
            metric.scope,
            metric.state,
        )
        index = metric.class_index
        assert row["class"] == (None if index is None else f"id{index:04d}")


def test_slices_are_in_the_table(case: NightCase) -> None:
    dusk = Metric.proportion("top1", 6, 50, scope="slice", slice_name="light=dusk")
    pair, scoring = next(iter(case.scorings.items()))
    scorings = {pair: scoring.model_copy(update={"slices": (dusk,)})}
    [row] = [row for row in metrics_table(case.night, scorings).to_pylist() if row["slice"]]
    assert (row["scope"], row["slice"], row["class"], row["value"], row["n"]) == (
        ("slice", "light=dusk", None, 0.12, 50)
    )


def test_absent_classes_have_their_state_and_no_value(case: NightCase) -> None:
    rows = metrics_table(case.night, case.scorings).to_pylist()
    absent = [row for row in rows if row["state"] == "absent_class"]
    assert {row["metric"] for row in absent} == set(CLASS_NAMES)
    assert all(row["value"] is None and row["n"] == 0 for row in absent)


def test_a_pair_without_figures_has_one_row_that_says_so(case: NightCase) -> None:
    rows = metrics_table(case.night, case.scorings).to_pylist()
    found = [row for row in rows if row["state"] == NOT_MEASURED]
    assert [
        (row["model"], row["verdict"], row["metric"], row["value"], row["n"]) for row in found
    ] == [
        ("cut", "incomplete", "top1", None, 0),
        ("lost", "unusable", "top1", None, 0),
    ]


def test_without_pairs_the_table_is_empty_and_keeps_its_schema(tmp_path: Path) -> None:
    table = metrics_table(make_night(()), {})
    assert table.num_rows == 0
    pq.write_table(table, tmp_path / "metrics.parquet")
    assert pq.read_table(tmp_path / "metrics.parquet").schema.equals(SCHEMA)


class Nights:
    """Stored tables of nights of one pair, with a figure of each night."""

    def __init__(self, folder: Path, case: NightCase) -> None:
        self.store = Store.at(folder)
        self.scoring = case.scoring("good")
        self.outcome = next(o for o in case.night.outcomes if o.pair.model == "good")

    def add(self, name: str, hits: int, **changes: object) -> None:
        top1 = Metric.proportion("top1", hits, 1_000)
        scoring = self.scoring.model_copy(update={"overall": (top1,)})
        night = make_night((self.outcome,)).model_copy(update={"name": name, **changes})
        self.store.publish(
            night_metrics(name), table_bytes(metrics_table(night, {str(scoring.pair): scoring}))
        )


@pytest.fixture
def nights(tmp_path: Path, case: NightCase) -> Nights:
    return Nights(tmp_path, case)


def test_a_series_has_the_points_of_each_night_in_order(nights: Nights) -> None:
    nights.add("n1", 700)
    nights.add("n2", 710, quick=2)
    history = read_history(nights.store, ["n1", "n2"])
    [(pair, series)] = history.overall("top1").items()
    assert pair == "cifar10/test/good"
    assert [(p.night, p.value, p.n, p.quick, p.verdict) for p in series] == [
        ("n1", 0.7, 1_000, None, nights.outcome.state),
        ("n2", 0.71, 1_000, 2, nights.outcome.state),
    ]
    assert series[0].low == Metric.proportion("top1", 700, 1_000).low
    assert history.overall("no_such_metric") == {}


def test_a_series_of_every_class(nights: Nights) -> None:
    nights.add("n1", 700)
    nights.add("n2", 710)
    history = read_history(nights.store, ["n1", "n2"])
    found = history.of_classes(nights.outcome.pair.name, "recall")
    assert list(found) == list(nights.scoring.class_ids)
    wanted = [m.value for m in nights.scoring.per_class if m.name == "recall"]
    assert [[point.value for point in series] for series in found.values()] == [
        [value, value] for value in wanted
    ]


def test_a_night_that_is_not_stored_yet_is_the_last(nights: Nights, case: NightCase) -> None:
    nights.add("n1", 700)
    history = read_history(nights.store, ["n1"]).followed_by(case.night, case.scorings)
    assert [p.night for p in history.overall("top1")["cifar10/test/good"]] == [
        "n1",
        case.night.name,
    ]


def test_tables_of_before_verdicts_were_kept_are_read(nights: Nights) -> None:
    nights.add("n1", 700)
    path = night_metrics("n1")
    old = read_table(nights.store, path).drop_columns(list(ADDED))
    nights.store.publish(path, table_bytes(old))
    [series] = read_history(nights.store, ["n1"]).overall("top1").values()
    assert (series[0].value, series[0].verdict, series[0].quick) == (0.7, None, None)


def test_a_damaged_table_is_named_and_hides_no_other(nights: Nights) -> None:
    nights.add("n1", 700)
    nights.store.publish(night_metrics("n2"), b"PAR1 and no more")
    nights.store.publish(night_metrics("n3"), table_bytes(pa.table({"night": ["n3"]})))
    history = read_history(nights.store, ["n1", "n2", "n3", "n4"])
    assert history.nights == ("n1",)
    assert len(history.overall("top1")["cifar10/test/good"]) == 1
    assert "n2" in history.damaged[0]
    assert "is no table of this night" in history.damaged[1]
    assert "is missing" in history.damaged[2]


@pytest.mark.parametrize(
    ("column", "values", "reason"),
    [
        ("value", [float("nan")], "value is no finite number"),
        ("high", [float("inf")], "high is no finite number"),
        ("value", ["high"], "Failed to parse string"),
        ("value", [[0.5]], "Unsupported cast"),
        ("n", pa.array([None], pa.int64()), "null values"),
        ("night", ["n1"], "it is that of n1"),
    ],
)
def test_a_table_that_no_night_wrote_is_named_and_hides_no_other(
    nights: Nights, column: str, values: list[object], reason: str
) -> None:
    nights.add("n1", 700)
    nights.add("n2", 710)
    path = night_metrics("n2")
    first = read_table(nights.store, path).slice(0, 1)
    foreign = first.set_column(first.column_names.index(column), column, pa.array(values))
    nights.store.publish(path, table_bytes(foreign))
    history = read_history(nights.store, ["n1", "n2"])
    assert history.nights == ("n1",)
    [sentence] = history.damaged
    assert sentence.startswith(f"{path} is no table of this night (")
    assert reason in sentence
