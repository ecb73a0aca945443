"""The metrics that the trends of a page can be switched to, and what the page carries of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.metrics.words import counted, metric_title
from tasks.report.assets import script_json
from tasks.report.history import History
from tasks.report.receipts import trend_receipt
from tasks.report.trend import Trend
from tasks.report.trend_charts import Line
from tasks.report.words import metric_hint


@dataclass(frozen=True, slots=True)
class MetricChoice:
    """A metric, and its trends over the nights of the charts.

    Attributes:
        trends: of the pairs that have it on any night.
        pairs: how many have a chart.
    """

    metric: str
    trends: tuple[Trend, ...]
    pairs: int

    @property
    def title(self) -> str:
        return metric_title(self.metric)

    @property
    def said(self) -> str:
        """What it means where its title does not say so, and how many pairs have it."""
        few = f"{len(self.trends):,} of {counted(self.pairs, 'pair')}"
        parts = [metric_hint(self.metric), few if len(self.trends) < self.pairs else ""]
        return "; ".join(part for part in parts if part)


def metric_choices(history: History, trends: Sequence[Trend]) -> tuple[MetricChoice, ...]:
    """Every overall metric that a night has, for the pairs of these trends."""
    choices = []
    for metric in history.overall_metrics:
        series = history.overall(metric)
        found = (trend.of_metric(metric, series.get(trend.pair, ())) for trend in trends)
        measured = tuple(trend for trend in found if trend.measured)
        choices.append(MetricChoice(metric, measured, len(trends)))
    return tuple(choices)


def choices_json(choices: Sequence[MetricChoice]) -> str:
    """As ``history.js`` reads it, by metric; of each chart by its id: values, what reaches down and
    up, texts, caption. A metric that is another one by its name, as micro F1 is top-1, names that.
    """
    carried: dict[str, dict[str, object]] = {}
    for choice in choices:
        found = _carried(choice)
        same = (name for name, other in carried.items() if other["lines"] == found["lines"])
        carried[choice.metric] = {**found, "lines": next(same, found["lines"])}
    return script_json(carried)


def _carried(choice: MetricChoice) -> dict[str, object]:
    lines = {trend.id: (Line.of(trend), trend.caption) for trend in choice.trends}
    return {
        "title": choice.title,
        "said": choice.said,
        "sql": trend_receipt(choice.metric).sql,
        "suffix": next((line.suffix for line, _ in lines.values()), ""),
        "lines": {
            chart: [line.values, line.down, line.up, line.texts, caption]
            for chart, (line, caption) in lines.items()
        },
    }
