"""The table of classes as CSV, for spreadsheets and scripts."""

import csv
import io
from collections import defaultdict

from tasks.metrics.metric import Metric
from tasks.metrics.ranking import RANKED_CLASS_NAMES
from tasks.metrics.scoring import Scoring

FIGURES = ("recall", "precision", "f1", *RANKED_CLASS_NAMES)
HEAD = (
    *("class_index", "class_id", "class_name", "support"),
    *(f"{name}{part}" for name in FIGURES for part in ("", "_low", "_high", "_state")),
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet would compute, whoever wrote it."""


def class_csv(scoring: Scoring) -> bytes:
    """One row per class in the dataset's order, absent ones too: UTF-8, shares between 0 and 1.

    A figure without a value has an empty cell and its state. A name that a spreadsheet would read
    as a formula has an apostrophe before it.
    """
    metrics: defaultdict[int, dict[str, Metric]] = defaultdict(dict)
    for metric in scoring.per_class:
        if metric.class_index is not None:
            metrics[metric.class_index][metric.name] = metric
    sink = io.StringIO(newline="")
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(HEAD)
    for index, support in enumerate(scoring.support):
        names = (_inert(scoring.class_ids[index]), _inert(scoring.class_names[index]))
        figures = (cell for name in FIGURES for cell in _cells(metrics[index].get(name)))
        writer.writerow((index, *names, support, *figures))
    return sink.getvalue().encode()


def _cells(metric: Metric | None) -> tuple[object, ...]:
    # Records of before the areas lack them.
    if metric is None:
        return "", "", "", "not_kept"
    return metric.value, metric.low, metric.high, metric.state


def _inert(name: str) -> str:
    return f"'{name}" if name.startswith(FORMULA) else name
