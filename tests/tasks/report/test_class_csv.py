"""The CSV of classes says what the scoring says."""

import csv
import io

import pyarrow as pa
import pyarrow.csv

from tasks.report.class_csv import FIGURES, HEAD, class_csv
from tests.tasks.report.nights import HOSTILE, NightCase


def test_every_class_is_a_row_with_its_figures(case: NightCase) -> None:
    scoring = case.scoring("broad")
    rows = list(csv.DictReader(io.StringIO(class_csv(scoring).decode(), newline="")))
    assert tuple(rows[0]) == HEAD
    assert [row["class_name"] for row in rows] == list(scoring.class_names)
    for index, row in enumerate(rows):
        metrics = {metric.name: metric for metric in scoring.of_class(index)}
        assert int(row["support"]) == scoring.support[index]
        for name in FIGURES:
            metric = metrics[name]
            found = [row[f"{name}{part}"] for part in ("", "_low", "_high")]
            wanted = (metric.value, metric.low, metric.high)
            assert [float(x) if x else None for x in found] == list(wanted)
            assert row[f"{name}_state"] == metric.state
    assert {row["recall_state"] for row in rows} == {"defined", "absent_class"}


def test_other_readers_see_numbers(case: NightCase) -> None:
    table = pyarrow.csv.read_csv(io.BytesIO(class_csv(case.scoring("good"))))
    assert table.schema.field("recall").type == pa.float64()
    assert table.schema.field("support").type == pa.int64()
    assert HOSTILE in table["class_name"].to_pylist()


def test_a_formula_is_text(case: NightCase) -> None:
    scoring = case.scoring("good")
    names = ("=1+1", '@a,"b"', *scoring.class_names[2:])
    hostile = scoring.model_copy(update={"class_names": names})
    rows = list(csv.DictReader(io.StringIO(class_csv(hostile).decode(), newline="")))
    assert [row["class_name"] for row in rows[:2]] == ["'=1+1", '\'@a,"b"']
