"""Tallies → metrics: divided once, here, at the end."""

import math
import re
from collections.abc import Sequence

import numpy as np

from tasks.metrics.agreement import AGREEMENTS, wilson_agreements
from tasks.metrics.calibration import FIXED_POINT
from tasks.metrics.confusion import AVERAGES, ConfusionMatrix, Rates
from tasks.metrics.intervals import (
    REPLICATES,
    SEED,
    Interval,
    centred_percentiles,
    mean_interval,
    wilson,
)
from tasks.metrics.metric import Metric
from tasks.metrics.ranking import (
    RANKED_CLASS_NAMES,
    RANKED_NAMES,
    Ranking,
    macro_ranked_metrics,
    ranked_class_metrics,
)
from tasks.metrics.reliability import CALIBRATION_NAMES, calibration_metrics
from tasks.metrics.spec import TOP_KS
from tasks.metrics.tallies import Sum, Tallies
from tasks.metrics.topk import top_metrics

METRICS_REVISION = 2
"""Raise it when a figure changes for equal tallies; scorings of another revision are kept apart."""

DRAWS, LEAST_REPLICATES = 100_000_000, 200
"""A confusion matrix of more than 100,000 cells is resampled less often, but at least so often."""

MICRO = ("micro_precision", "micro_recall", "micro_f1")
OVERALL_NAMES = (
    *(f"top{k}" for k in TOP_KS),
    *AVERAGES,
    *MICRO,
    *AGREEMENTS,
    "nll",
    "brier",
    *CALIBRATION_NAMES,
    *RANKED_NAMES,
)
COUNTED_CLASS_NAMES = ("precision", "recall", "f1")
CLASS_NAMES = (*COUNTED_CLASS_NAMES, *RANKED_CLASS_NAMES)
UNCOUNTED = frozenset({*AVERAGES, *AGREEMENTS, "nll", "brier", *CALIBRATION_NAMES, *RANKED_NAMES})
"""Overall figures whose interval is kept at one confidence, since counts alone do not give it."""


_TOP = re.compile(r"top[1-9]\d*")


def is_overall(name: str) -> bool:
    """Whether there is such an overall figure; top-k for any k."""
    return name in OVERALL_NAMES or _TOP.fullmatch(name) is not None


def overall_metrics(
    tallies: Tallies, top_ks: Sequence[int] = TOP_KS, ranking: Ranking | None = None
) -> tuple[Metric, ...]:
    """The figures over all samples, and top-k if every failed sample were wrong or right."""
    return (
        *top_metrics(
            {k: tallies.top(k) for k in top_ks},
            tallies.n,
            tallies.failed,
            unranked=tallies.unranked,
            classes=tallies.confusion.classes,
        ),
        *_matrix_metrics(tallies.confusion),
        *_mean_metrics(tallies),
        *calibration_metrics(tallies.calibration),
        *macro_ranked_metrics(ranking, tallies.n),
    )


def class_metrics(tallies: Tallies, ranking: Ranking | None = None) -> tuple[Metric, ...]:
    """``CLASS_NAMES`` for each class in order.

    Without a ranking the areas under the curves have none (``needs_scores``). A class without
    samples has no figures (``absent_class``); a class that was never predicted has no precision
    (``never_predicted``), and a recall and an F1 of 0.
    """
    matrix = tallies.confusion
    found: list[Metric] = []
    counts = zip(
        matrix.hits.tolist(), matrix.support.tolist(), matrix.predicted.tolist(), strict=True
    )
    for index, (hits, support, predicted) in enumerate(counts):
        if support == 0:
            found += [
                Metric.undefined(name, "absent_class", 0, index) for name in COUNTED_CLASS_NAMES
            ]
            found += ranked_class_metrics(ranking, index, support)
            continue
        if predicted == 0:
            found.append(Metric.undefined("precision", "never_predicted", 0, index))
        else:
            found.append(
                Metric.proportion("precision", hits, predicted, scope="class", class_index=index)
            )
        found.append(Metric.proportion("recall", hits, support, scope="class", class_index=index))
        found.append(Metric.f1(hits, support + predicted - hits, index))
        found += ranked_class_metrics(ranking, index, support)
    return tuple(found)


def _matrix_metrics(matrix: ConfusionMatrix) -> list[Metric]:
    n = matrix.n
    if not n:
        return [Metric.undefined(name, "no_samples") for name in (*AVERAGES, *MICRO, *AGREEMENTS)]
    cells = int(np.count_nonzero(matrix.counts))
    replicates = matrix.bootstrap(min(REPLICATES, max(LEAST_REPLICATES, DRAWS // cells)), SEED)
    points, worth = matrix.averages(), matrix.effective_samples()
    # With one label per image, every mistake is one false positive and one false negative.
    hits = int(matrix.hits.sum())
    floors = wilson_agreements(matrix.hits, matrix.support, matrix.predicted)
    return [
        *(_average(name, points[name], replicates[name], n, worth[name]) for name in AVERAGES),
        *(Metric.proportion(name, hits, n) for name in MICRO),
        *(
            _agreement(name, point, replicates[name], n, floors.get(name))
            for name, point in matrix.agreements().items()
        ),
    ]


def _agreement(
    name: str, point: float, replicates: Rates, n: int, floor: Interval | None
) -> Metric:
    """As an average; a resample that leaves it undefined shows no agreement, which is 0."""
    if math.isnan(point) or floor is None:
        return Metric.undefined(name, "one_class", n)
    resampled = np.nan_to_num(replicates, nan=0.0)
    ends = (*centred_percentiles(point, resampled, limits=(-1.0, 1.0)), *floor, point)
    return Metric(name=name, value=point, low=min(ends), high=max(ends), n=n, method="bootstrap")


def _average(name: str, point: float, replicates: Rates, n: int, worth: float) -> Metric:
    """The wider of the bootstrap's interval and Wilson's over the effective sample size.

    Few samples, and mistakes that are rarer still, hardly vary from resample to resample: there
    the bootstrap alone would claim too much.
    """
    ends = (*centred_percentiles(point, replicates), *wilson(point * worth, worth), point)
    return Metric(name=name, value=point, low=min(ends), high=max(ends), n=n, method="bootstrap")


def _mean_metrics(tallies: Tallies) -> list[Metric]:
    if tallies.unscored:
        return [Metric.undefined(name, "needs_scores", tallies.n) for name in ("nll", "brier")]
    return [_mean("nll", tallies.nll, tallies.n), _mean("brier", tallies.brier, tallies.n)]


def _mean(name: str, values: Sum, n: int) -> Metric:
    if n == 0:
        return Metric.undefined(name, "no_samples")
    if values.infinite:
        return Metric.undefined(name, "infinite", n)
    total, squares = values.total / FIXED_POINT, values.squares / FIXED_POINT
    if n == 1:
        return Metric(name=name, value=total, n=n)
    low, high = mean_interval(total, squares, n)
    return Metric(name=name, value=total / n, low=low, high=high, n=n, method="student")
