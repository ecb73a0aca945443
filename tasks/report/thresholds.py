"""Precision against recall of each class, as lists beside a page that are loaded when wanted."""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow.compute as pc

from shards.store import Store
from tasks.layout import PairName
from tasks.metrics.curves import SCHEMA
from tasks.metrics.intervals import wilson
from tasks.metrics.scoring import Scoring
from tasks.tables import read_table_of

CLASSES_PER_FILE = 50
NAME = "curves"
Row = tuple[float, int, int, float, float, float, float]
"""A threshold; how many images of the class reach it, and how many of all; recall's interval, and
precision's."""


@dataclass(frozen=True, slots=True)
class ClassCurve:
    """A class of ``n`` images, and its thresholds from the highest to the lowest."""

    index: int
    n: int
    rows: tuple[Row, ...]


def class_curves(store: Store, pair: PairName, scoring: Scoring) -> tuple[ClassCurve, ...]:
    """The curves of the classes that have samples; none where full scores were not kept.

    Raises:
        ShardError: the file of curves is unreadable.
    """
    path = pair.curves(scoring.id)
    if not store.exists(path):
        return ()
    table = read_table_of(store, path, SCHEMA)
    kept = table.filter(pc.equal(table["kind"], "precision_recall")).to_pydict()
    points: dict[int, list[tuple[float, float, float]]] = {}
    for index, threshold, recall, precision in zip(
        kept["class"], kept["threshold"], kept["x"], kept["y"], strict=True
    ):
        points.setdefault(index, []).append((threshold, recall, precision))
    positives = {m.class_index: m.n for m in scoring.per_class if m.name == "recall"}
    return tuple(
        ClassCurve(index, positives[index], tuple(_rows(positives[index], found)))
        for index, found in sorted(points.items())
        if positives.get(index)
    )


def curve_files(curves: tuple[ClassCurve, ...]) -> dict[str, dict[str, list[object]]]:
    """What to put under which name: by class index its n and its rows."""
    files: dict[str, dict[str, list[object]]] = {}
    for curve in curves:
        name = f"{NAME}-{curve.index // CLASSES_PER_FILE}"
        rows = [[round(number, 6) for number in row] for row in curve.rows]
        files.setdefault(name, {})[str(curve.index)] = [curve.n, rows]
    return files


def _rows(n: int, points: list[tuple[float, float, float]]) -> Iterator[Row]:
    for threshold, recall, precision in points:
        hits = round(recall * n)
        taken = round(hits / precision)
        yield (threshold, hits, taken, *wilson(hits, n), *wilson(hits, taken))
