"""A night's metrics as one long table: all that trends over nights read."""

from collections.abc import Iterator, Mapping

import pyarrow as pa

from tasks.metrics.scoring import Scoring
from tasks.night import Night

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
    ]
)
"""``class`` is the class id, ``slice`` is ``field=value``; null in the other scopes. ``value`` is
null unless ``state`` is ``defined``, and the interval may be null where n is too small."""


def metrics_table(night: Night, scorings: Mapping[str, Scoring]) -> pa.Table:
    """Every metric of every pair that has a scoring, in the order of the outcomes, of ``SCHEMA``.

    Args:
        night: its outcomes say which pairs there are.
        scorings: by ``str(pair)``.
    """
    rows = [
        row
        for outcome in night.outcomes
        if (scoring := scorings.get(str(outcome.pair))) is not None
        for row in _rows(night.name, scoring)
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _rows(night: str, scoring: Scoring) -> Iterator[dict[str, str | float | int | None]]:
    for metric in (*scoring.overall, *scoring.per_class, *scoring.slices):
        index = metric.class_index
        yield {
            "night": night,
            "dataset": scoring.pair.dataset,
            "split": scoring.pair.split,
            "model": scoring.pair.model,
            "evaluation": scoring.evaluation,
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
