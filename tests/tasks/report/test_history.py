"""The long table holds every metric of every pair, once."""

import pyarrow.parquet as pq

from tasks.metrics.metric import Metric
from tasks.metrics.summary import CLASS_NAMES
from tasks.report.history import SCHEMA, metrics_table
from tests.tasks.report.nights import NightCase


def test_one_row_per_metric_in_the_order_of_the_outcomes(case: NightCase) -> None:
    rows = metrics_table(case.night, case.scorings).to_pylist()
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


def test_without_scorings_the_table_is_empty_and_keeps_its_schema(
    case: NightCase, tmp_path
) -> None:
    table = metrics_table(case.night, {})
    assert table.num_rows == 0
    pq.write_table(table, tmp_path / "metrics.parquet")
    assert pq.read_table(tmp_path / "metrics.parquet").schema.equals(SCHEMA)
