"""Tallies → metrics: divided once, here, at the end."""

from tasks.metrics.confusion import AVERAGES, Rates
from tasks.metrics.intervals import REPLICATES, SEED, centred_percentiles, mean_interval, wilson
from tasks.metrics.metric import Metric
from tasks.metrics.tallies import FIXED_POINT, Sum, Tallies

METRICS_REVISION = 1
"""Raise it when a figure changes for equal tallies; scorings of another revision are kept apart."""

TOP_KS = (1, 5)
OVERALL_NAMES = (*(f"top{k}" for k in TOP_KS), *AVERAGES, "nll", "brier")
CLASS_NAMES = ("precision", "recall", "f1")


def overall_metrics(tallies: Tallies) -> tuple[Metric, ...]:
    """The figures over all samples, and top-k if every failed sample were wrong or right."""
    return (*_top_metrics(tallies), *_average_metrics(tallies), *_mean_metrics(tallies))


def class_metrics(tallies: Tallies) -> tuple[Metric, ...]:
    """Precision, recall and F1 for each class in order.

    A class without samples has no figures (``absent_class``); a class that was never predicted has
    no precision (``never_predicted``), and a recall and an F1 of 0.
    """
    matrix = tallies.confusion
    found: list[Metric] = []
    counts = zip(
        matrix.hits.tolist(), matrix.support.tolist(), matrix.predicted.tolist(), strict=True
    )
    for index, (hits, support, predicted) in enumerate(counts):
        if support == 0:
            found += [Metric.undefined(name, "absent_class", 0, index) for name in CLASS_NAMES]
            continue
        if predicted == 0:
            found.append(Metric.undefined("precision", "never_predicted", 0, index))
        else:
            found.append(
                Metric.proportion("precision", hits, predicted, scope="class", class_index=index)
            )
        found.append(Metric.proportion("recall", hits, support, scope="class", class_index=index))
        found.append(Metric.f1(hits, support + predicted - hits, index))
    return tuple(found)


def _top_metrics(tallies: Tallies) -> list[Metric]:
    found: list[Metric] = []
    n, failed = tallies.n, tallies.failed
    for k in TOP_KS:
        name, hits = f"top{k}", tallies.top(k)
        found.append(
            Metric.proportion(name, hits, n) if n else Metric.undefined(name, "no_samples")
        )
        if failed:
            found.append(Metric.proportion(f"{name}_failed_as_wrong", hits, n + failed))
            found.append(Metric.proportion(f"{name}_failed_as_right", hits + failed, n + failed))
    return found


def _average_metrics(tallies: Tallies) -> list[Metric]:
    matrix = tallies.confusion
    if not matrix.n:
        return [Metric.undefined(name, "no_samples") for name in AVERAGES]
    points = matrix.averages()
    replicates = matrix.bootstrap_averages(REPLICATES, SEED)
    worth = matrix.effective_samples()
    return [
        _average(name, points[name], replicates[name], matrix.n, worth[name]) for name in AVERAGES
    ]


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
