"""A night as a text file for Prometheus, as its node exporter collects from a folder."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from tasks.metrics.scoring import Scoring
from tasks.night import SEVERITY, Night

PAIR = ("dataset", "split", "model")


def prometheus_text(night: Night, scorings: Mapping[str, Scoring]) -> bytes:
    """Verdicts, every overall figure with its interval, and when the night ended.

    A figure without a value has no sample: Prometheus shows a gap, and no 0.

    Args:
        night: its outcomes say which pairs there are.
        scorings: by ``str(pair)``.
    """
    registry = CollectorRegistry()
    verdict = Gauge(
        "nightmark_verdict",
        "1 for the verdict that the pair has, 0 for the others.",
        (*PAIR, "verdict"),
        registry=registry,
    )
    figures = {
        "value": _gauge(registry, "nightmark_metric", "An overall metric; shares are 0 to 1."),
        "low": _gauge(registry, "nightmark_metric_low", "The lower end of its interval."),
        "high": _gauge(registry, "nightmark_metric_high", "The upper end of its interval."),
        "n": _gauge(registry, "nightmark_metric_images", "How many images it rests on."),
    }
    for outcome in night.outcomes:
        pair = (outcome.pair.dataset, outcome.pair.split, outcome.pair.model)
        for state in SEVERITY:
            verdict.labels(*pair, state).set(state == outcome.state)
        scoring = scorings.get(str(outcome.pair))
        for metric in () if scoring is None else scoring.overall:
            for part, gauge in figures.items():
                if (number := getattr(metric, part)) is not None:
                    gauge.labels(*pair, metric.name).set(number)
    _add_night(registry, night)
    return generate_latest(registry)


def _gauge(registry: CollectorRegistry, name: str, said: str) -> Gauge:
    return Gauge(name, said, (*PAIR, "metric"), registry=registry)


def _add_night(registry: CollectorRegistry, night: Night) -> None:
    finished = Gauge(
        "nightmark_night_finished_timestamp_seconds",
        "When the newest night of the plan ended.",
        ("plan",),
        registry=registry,
    )
    finished.labels(night.plan).set(night.finished.timestamp())
    duration = Gauge(
        "nightmark_night_duration_seconds", "How long it took.", ("plan",), registry=registry
    )
    duration.labels(night.plan).set((night.finished - night.started).total_seconds())
