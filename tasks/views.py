"""DuckDB over an artifact root: views of the current, whole evaluations, and of all nights.

DuckDB is an extra; without it there is one sentence that says how to get it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shards.errors import InputError
from shards.store import Store
from tasks.layout import night_metrics
from tasks.night import Outcome
from tasks.predictions.evaluation import Evaluation
from tasks.predictions.schema import SCHEMA
from tasks.report.history import SCHEMA as METRICS
from tasks.stored import finished_nights, read_evaluation, read_record

if TYPE_CHECKING:
    import duckdb

MISSING = "nightmark sql needs DuckDB: pip install 'nightmark[sql]' (or duckdb)"
COLUMNS = (
    *("dataset", "split", "model", "evaluation", "night"),
    *("model_fingerprint", "dataset_version"),
)
"""Of ``evaluations``; and ``files``, which are its predictions."""


@dataclass(frozen=True, slots=True)
class Current:
    """The newest whole evaluation of a pair, and the night that judged it."""

    night: str
    evaluation: Evaluation


def current_evaluations(store: Store) -> list[Current]:
    """Of every pair the evaluation of the newest whole night whose predictions are all there.

    Quick nights judged a part of their split and have none.

    Raises:
        ShardError: a record is unreadable.
    """
    found: dict[str, Current] = {}
    for name in reversed(finished_nights(store)):
        night = read_record(store, name)
        for outcome in () if night.quick is not None else night.outcomes:
            if str(outcome.pair) not in found and (whole := _whole(store, outcome)) is not None:
                found[str(outcome.pair)] = Current(name, whole)
    return [found[pair] for pair in sorted(found)]


def open_views(store: Store) -> "duckdb.DuckDBPyConnection":
    """A connection in which paths are those of the root, with these views.

    ``predictions``: the rows of every current evaluation, with dataset, split, model, evaluation
    and night; ``evaluations``: one row each; ``metrics``: every figure of every night.

    Raises:
        InputError: DuckDB is not installed, or the root is not local.
        ShardError: a record is unreadable.
    """
    try:
        import duckdb  # noqa: PLC0415  # an extra
    except ImportError as error:
        raise InputError(MISSING) from error
    if not store.is_local:
        raise InputError(
            f"{store.root}: `nightmark sql` reads a local root; DuckDB's httpfs reads a remote one"
        )
    connection = duckdb.connect()
    connection.execute(f"SET file_search_path = {_quoted(store.locate(''))}")
    current = current_evaluations(store)
    connection.execute(f"CREATE VIEW evaluations AS {_evaluations(store, current)}")
    connection.execute(f"CREATE VIEW predictions AS {_predictions(store, current)}")
    connection.execute(f"CREATE VIEW metrics AS {_metrics(store)}")
    return connection


def _whole(store: Store, outcome: Outcome) -> Evaluation | None:
    pair, name = outcome.pair.name, outcome.evaluation
    if name is None or not store.exists(pair.evaluation(name)):
        return None
    evaluation = read_evaluation(store, pair, name)
    if evaluation.quick is not None:
        return None
    return evaluation if all(map(store.exists, evaluation.predictions)) else None


def _evaluations(store: Store, current: Sequence[Current]) -> str:
    rows = ", ".join(_row(store, found) for found in current)
    if not rows:
        return _nothing((*COLUMNS, "files"))
    return f"SELECT * FROM (VALUES {rows}) AS found({', '.join(COLUMNS)}, files)"


def _row(store: Store, found: Current) -> str:
    evaluation = found.evaluation
    pair = evaluation.pair
    texts = (
        *(pair.dataset, pair.split, pair.model, evaluation.id, found.night),
        *(evaluation.model_fingerprint, evaluation.dataset_version),
    )
    return f"({', '.join(map(_quoted, texts))}, {_listed(_paths(store, evaluation))})"


def _predictions(store: Store, current: Sequence[Current]) -> str:
    paths = [path for found in current for path in _paths(store, found.evaluation)]
    if not paths:
        return _nothing((*COLUMNS[:5], *SCHEMA.names))
    # A file may belong to evaluations of several dataset versions, but to one current one.
    return f"""
SELECT e.dataset, e.split, e.model, e.evaluation, e.night, p.* EXCLUDE (filename)
FROM read_parquet({_listed(paths)}, filename = true, hive_partitioning = false) AS p
JOIN (SELECT * EXCLUDE (files), unnest(files) AS file FROM evaluations) AS e ON e.file = p.filename
"""


def _metrics(store: Store) -> str:
    paths = [
        store.locate(night_metrics(name))
        for name in finished_nights(store)
        if store.exists(night_metrics(name))
    ]
    if not paths:
        return _nothing(METRICS.names)
    return f"SELECT * FROM read_parquet({_listed(paths)}, union_by_name = true)"


def _nothing(columns: Sequence[str]) -> str:
    named = ", ".join(f'NULL::VARCHAR AS "{name}"' for name in columns)
    return f"SELECT {named} WHERE false"


def _paths(store: Store, evaluation: Evaluation) -> Iterator[str]:
    return (store.locate(path) for path in evaluation.predictions)


def _listed(paths: Sequence[str] | Iterator[str]) -> str:
    return f"[{', '.join(map(_quoted, paths))}]"


def _quoted(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"
