"""How well scores rank the samples of each class above the rest, over files of full scores.

Memory: a block of classes of at most ``BLOCK_BYTES``, one file of scores, 4 bytes a sample for the
targets, and some 40 bytes a sample while one class is sorted. Where the scores of all classes do
not fit into a block, the files are read once for each block.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks.metrics.curves import SCHEMA, OneVsRest
from tasks.metrics.intervals import Interval, auroc_interval, auroc_variance, wilson
from tasks.metrics.metric import Metric

BLOCK_BYTES = 256 << 20
RANKED_CLASS_NAMES = ("average_precision", "auroc")
RANKED_NAMES = ("macro_average_precision", "macro_auroc")
ScorePrecision = Literal["float16", "float32"]
ScoreFiles = Callable[[], Iterator[NDArray[np.floating]]]
"""Reads the scores [rows, classes] file by file, from the beginning each time it is called."""


@dataclass(frozen=True)
class Ranked:
    """The areas of one class; ``auroc`` is None where there is no sample of another class."""

    index: int
    average_precision: float
    auroc: float | None
    positives: int
    negatives: int


@dataclass(frozen=True)
class Ranking:
    """All classes that have samples, and their thinned curves.

    Attributes:
        precision: in which the scores were kept.
        points: rows of ``tasks.metrics.curves.SCHEMA``.
    """

    classes: dict[int, Ranked]
    precision: ScorePrecision
    points: pa.Table


def rank(
    files: ScoreFiles,
    targets: NDArray[np.int32],
    classes: int,
    precision: ScorePrecision,
    block_bytes: int = BLOCK_BYTES,
) -> Ranking:
    """Rank the samples for each class.

    Args:
        files: the scores of all samples, in the order of ``targets``.
        targets: class index, or -1 for a sample that has no part in the figures.
        classes: how many there are.
        precision: in which the scores were kept.
        block_bytes: how much memory the scores of a block of classes may take.

    Raises:
        ValueError: the files do not hold one row per target.
    """
    counted = targets >= 0
    kept = targets[counted]
    n = max(len(kept), 1)
    width = max(1, block_bytes // (n * np.dtype(precision).itemsize))
    present = np.flatnonzero(np.bincount(kept, minlength=classes))
    found: dict[int, Ranked] = {}
    points = [SCHEMA.empty_table()]
    for start in range(0, len(present), width):
        block = present[start : start + width]
        scores = _columns(files, block, counted, np.dtype(precision))
        for index, column in zip(block.tolist(), scores, strict=True):
            curve = OneVsRest.of(column, kept == index)
            points.append(curve.points(index))
            found[index] = Ranked(
                index,
                curve.average_precision,
                curve.auroc if curve.negatives else None,
                curve.positives,
                curve.negatives,
            )
    return Ranking(found, precision, pa.concat_tables(points).combine_chunks())


def ranked_class_metrics(ranking: Ranking | None, index: int, support: int) -> list[Metric]:
    """``RANKED_CLASS_NAMES`` of a class with ``support`` samples; without scores, why not."""
    if not support:
        return [Metric.undefined(n, "absent_class", 0, index) for n in RANKED_CLASS_NAMES]
    if ranking is None:
        return [Metric.undefined(n, "needs_scores", support, index) for n in RANKED_CLASS_NAMES]
    of = ranking.classes[index]
    area = of.average_precision
    low, high = wilson(area * of.positives, of.positives)
    precision = Metric(
        name="average_precision",
        scope="class",
        class_index=index,
        value=area,
        low=min(low, area),
        high=max(high, area),
        n=of.positives,
        method="wilson_positives",
        scores=ranking.precision,
    )
    return [precision, _auroc(of, ranking.precision)]


def macro_ranked_metrics(ranking: Ranking | None, n: int) -> list[Metric]:
    """``RANKED_NAMES``: plain means over the classes that have the figure."""
    if not n or ranking is None:
        state: Literal["no_samples", "needs_scores"] = "needs_scores" if n else "no_samples"
        return [Metric.undefined(name, state, n) for name in RANKED_NAMES]
    ranked = list(ranking.classes.values())
    areas = np.array([of.average_precision for of in ranked])
    found = [_macro("macro_average_precision", areas, _worth(ranked), n, ranking.precision)]
    aurocs = np.array([of.auroc for of in ranked if of.auroc is not None])
    if not len(aurocs):
        return [*found, Metric.undefined("macro_auroc", "no_negatives", n)]
    worth = _worth_of_auroc(ranked, aurocs)
    return [*found, _macro("macro_auroc", aurocs, worth, n, ranking.precision)]


def _auroc(of: Ranked, precision: ScorePrecision) -> Metric:
    if of.auroc is None:
        return Metric.undefined("auroc", "no_negatives", of.positives, of.index)
    low, high = auroc_interval(of.auroc, of.positives, of.negatives)
    return Metric(
        name="auroc",
        scope="class",
        class_index=of.index,
        value=of.auroc,
        low=low,
        high=high,
        n=of.positives,
        negatives=of.negatives,
        method="hanley_mcneil",
        scores=precision,
    )


def _macro(
    name: str, values: NDArray[np.float64], worth: float, n: int, precision: ScorePrecision
) -> Metric:
    value = float(values.mean())
    ends: Interval = wilson(value * worth, worth)
    low, high = min(ends[0], value), max(ends[1], value)
    return Metric(
        name=name, value=value, low=low, high=high, n=n, method="wilson_positives", scores=precision
    )


def _worth(ranked: list[Ranked]) -> float:
    """The effective number of positives of a macro mean: C^2 / sum of 1/n_c (Kish 1965, 11.7).

    Of two classes each is the other's rest, so that their errors are not independent: then it is
    that of the smaller class alone.
    """
    positives = np.array([of.positives for of in ranked])
    if len(ranked) == 2:
        return float(positives.min())
    return float(len(positives) ** 2 / (1 / positives).sum())


def _worth_of_auroc(ranked: list[Ranked], aurocs: NDArray[np.float64]) -> float:
    """As ``_worth``, and no more than what Hanley and McNeil's variance leaves.

    The classes' positives are different samples, their negatives are mostly the same ones: the
    parts of the variance that come from negatives are taken as if they rose and fell together.
    """
    worth, value = _worth(ranked), float(aurocs.mean())
    if not 0 < value < 1:
        return worth
    parts = [
        auroc_variance(of.auroc, of.positives, of.negatives)
        for of in ranked
        if of.auroc is not None
    ]
    own, shared = np.array(parts).T
    variance = float(own.sum()) / len(parts) ** 2 + float(np.sqrt(shared).mean()) ** 2
    return min(worth, value * (1 - value) / variance) if variance else worth


def _columns(
    files: ScoreFiles,
    block: NDArray[np.int64],
    counted: NDArray[np.bool_],
    kind: np.dtype[np.floating],
) -> NDArray[np.floating]:
    """The scores of some classes, [classes, samples that count]."""
    scores = np.empty((len(block), int(counted.sum())), dtype=kind)
    row = place = 0
    for part in files():
        chosen = counted[row : row + len(part)]
        if len(chosen) != len(part):
            break
        taken = int(chosen.sum())
        scores[:, place : place + taken] = part[chosen][:, block].T
        row, place = row + len(part), place + taken
    else:
        if row == len(counted):
            return scores
    raise ValueError(f"the files of scores do not hold one row for each of {len(counted)} samples")
