"""Tallies to the figures made of them, by name."""

from tasks.metrics.metric import Metric
from tasks.metrics.summary import (
    class_metrics,
    overall_metrics,
)
from tasks.metrics.tallies import Tallies


def overall(tallies: Tallies) -> dict[str, Metric]:
    return {metric.name: metric for metric in overall_metrics(tallies)}


def of_classes(tallies: Tallies) -> dict[tuple[int, str], Metric]:
    return {(m.class_index or 0, m.name): m for m in class_metrics(tallies)}
