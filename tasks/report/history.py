"""A night's metrics as one long table, and what trends over nights read from these tables alone."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from shards.errors import ShardError
from shards.store import Store
from tasks.layout import PairName, night_metrics
from tasks.metrics.metric import Metric
from tasks.metrics.scoring import Scoring
from tasks.night import Night, Outcome
from tasks.tables import read_table

SCHEMA = pa.schema(
    [
        pa.field("night", pa.string(), nullable=False),
        pa.field("dataset", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("evaluation", pa.string(), nullable=False),
        pa.field("metric", pa.string(), nullable=False),
        pa.field("scope", pa.string(), nullable=False),
        pa.field("class", pa.string()),
        pa.field("slice", pa.string()),
        pa.field("value", pa.float64()),
        pa.field("low", pa.float64()),
        pa.field("high", pa.float64()),
        pa.field("n", pa.int64(), nullable=False),
        pa.field("state", pa.string(), nullable=False),
        pa.field("verdict", pa.string()),
        pa.field("model_fingerprint", pa.string()),
        pa.field("dataset_version", pa.string()),
        pa.field("quick", pa.int32()),
    ]
)
"""``class`` is the class id, ``slice`` is ``field=value``; null in the other scopes. ``value`` is
null unless ``state`` is ``defined``, and the interval may be null where n is too small. ``verdict``
is the state of the pair, ``quick`` the number of shards where it was judged on the first of them.
The last four are null in nights of before they were kept."""

ADDED = ("verdict", "model_fingerprint", "dataset_version", "quick")
NOT_MEASURED = "not_measured"
"""The ``state`` of the one row, of top-1, that a pair without figures has."""


@dataclass(frozen=True, slots=True)
class Point:
    """A figure of one night; ``value`` is None where it was undefined or not measured."""

    night: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    state: str
    verdict: str | None
    model_fingerprint: str | None
    dataset_version: str | None
    quick: int | None


Series = tuple[Point, ...]
"""The points of one figure, oldest night first; nights that lack it have none."""


@dataclass(frozen=True)
class History:
    """The tables of some nights, oldest first.

    Attributes:
        table: their rows, of ``SCHEMA``.
        nights: which nights they are.
        damaged: one sentence for each night whose table cannot be read.
    """

    table: pa.Table
    nights: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()

    def followed_by(self, night: Night, scorings: Mapping[str, Scoring]) -> "History":
        """With a night that is not stored yet, as the last one."""
        table = pa.concat_tables([self.table, metrics_table(night, scorings)])
        return History(table, (*self.nights, night.name), self.damaged)

    @property
    def overall_metrics(self) -> tuple[str, ...]:
        """The overall metrics that have a value on some night, in the order of the tables."""
        known = self._overall.filter(pc.is_valid(pc.field("value")))
        return tuple(pc.unique(known["metric"]).to_pylist())

    @cached_property
    def _overall(self) -> pa.Table:
        """Kept, since most rows are of classes and every metric is looked up."""
        return self.table.filter(pc.field("scope") == "overall")

    def overall(self, metric: str) -> dict[str, Series]:
        """An overall metric of every pair, by ``str(pair)``."""
        rows = self._overall.filter(pc.field("metric") == metric)
        names = (rows[name].to_pylist() for name in ("dataset", "split", "model"))
        return _grouped(rows, map("/".join, zip(*names, strict=True)))

    def of_classes(self, pair: PairName, metric: str) -> dict[str, Series]:
        """A metric of the classes of a pair, by class id."""
        chosen = (
            (pc.field("metric") == metric)
            & (pc.field("scope") == "class")
            & (pc.field("dataset") == pair.split.dataset)
            & (pc.field("split") == pair.split.split)
            & (pc.field("model") == pair.model)
        )
        rows = self.table.filter(chosen)
        return _grouped(rows, rows["class"].to_pylist())


def read_history(store: Store, nights: Sequence[str]) -> History:
    """What the tables of these nights hold; a damaged one does not hide the others.

    Args:
        store: the artifact root.
        nights: their names, oldest first.
    """
    tables, read, damaged = [SCHEMA.empty_table()], [], []
    for night in nights:
        try:
            table = read_table(store, night_metrics(night), advice="run the night again")
            tables.append(_table_of(night, table))
        except ShardError as error:
            damaged.append(store.without_root(str(error)))
        except (KeyError, ValueError, NotImplementedError) as error:
            where = night_metrics(night)
            damaged.append(f"{where} is no table of this night ({error.args[0]}); remove the file")
        else:
            read.append(night)
    return History(pa.concat_tables(tables), tuple(read), tuple(damaged))


def metrics_table(night: Night, scorings: Mapping[str, Scoring]) -> pa.Table:
    """Every metric of every pair, in the order of the outcomes, of ``SCHEMA``; one row that says so
    for a pair that was not measured.

    Args:
        night: its outcomes say which pairs there are.
        scorings: by ``str(pair)``.
    """
    rows = [
        row
        for outcome in night.outcomes
        for row in _rows(night, outcome, scorings.get(str(outcome.pair)))
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _rows(
    night: Night, outcome: Outcome, scoring: Scoring | None
) -> Iterator[dict[str, str | float | int | None]]:
    common = {
        "night": night.name,
        "dataset": outcome.pair.dataset,
        "split": outcome.pair.split,
        "model": outcome.pair.model,
        "evaluation": "" if scoring is None else scoring.evaluation,
        "verdict": outcome.state,
        "model_fingerprint": outcome.fingerprint or None,
        "dataset_version": outcome.dataset_version or None,
        "quick": night.quick,
    }
    if scoring is None:
        yield {**common, "metric": "top1", "scope": "overall", "n": 0, "state": NOT_MEASURED}
        return
    for metric in (*scoring.overall, *scoring.per_class, *scoring.slices):
        yield {**common, **_figures(metric, scoring)}


def _figures(metric: Metric, scoring: Scoring) -> dict[str, str | float | int | None]:
    index = metric.class_index
    return {
        "metric": metric.name,
        "scope": metric.scope,
        "class": None if index is None else scoring.class_ids[index],
        "slice": metric.slice,
        "value": metric.value,
        "low": metric.low,
        "high": metric.high,
        "n": metric.n,
        "state": metric.state,
    }


def _table_of(night: str, table: pa.Table) -> pa.Table:
    """The table of a night, of ``SCHEMA``.

    Raises:
        KeyError: a column is missing that every table had.
        ValueError, NotImplementedError: it holds what no night writes, or is of another night: a
            folder that was copied would count twice.
    """
    complete = _completed(table)
    others = [name for name in pc.unique(complete["night"]).to_pylist() if name != night]
    if others:
        raise ValueError(f"it is that of {others[0]}")
    for name in ("value", "low", "high"):
        if pc.any(pc.invert(pc.is_finite(complete[name]))).as_py():
            raise ValueError(f"{name} is no finite number")
    return complete


def _completed(table: pa.Table) -> pa.Table:
    """With the columns that older tables lack. Raises KeyError for any other that is missing."""
    for name in ADDED:
        if name not in table.column_names:
            field = SCHEMA.field(name)
            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    return table.select(SCHEMA.names).cast(SCHEMA)


def _grouped(rows: pa.Table, names: Iterable[str]) -> dict[str, Series]:
    found: dict[str, list[Point]] = {}
    columns = [field.name for field in fields(Point)]
    points = (Point(**row) for row in rows.select(columns).to_pylist())
    for name, point in zip(names, points, strict=True):
        found.setdefault(name, []).append(point)
    return {name: tuple(points) for name, points in found.items()}
