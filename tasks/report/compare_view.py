"""A comparison → what its page shows: all text is made, nothing is marked up or escaped yet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from tasks.metrics.change import CHANGE_SENTENCES, Change
from tasks.metrics.comparison import ChangedSample, Comparison, Side
from tasks.metrics.comparison_words import (
    basis,
    classes_text,
    conclusion,
    difference_text,
    ends_text,
    p_text,
    table_text,
)
from tasks.metrics.intervals import CONFIDENCE
from tasks.metrics.words import LOSSES, class_labels, figure, metric_title
from tasks.report.chart import Chart
from tasks.report.charts import GREY, GRID, MOST_CLASSES, OKABE_ITO, escaped, look, short_label
from tasks.report.view import Fact

ROW_HEIGHT = 24


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One figure on both sides.

    Attributes:
        direction: ``better`` or ``worse`` where the interval leaves out 0, else ``not shown``.
        sortable: the difference, for tables that sort.
    """

    name: str
    baseline: str
    candidate: str
    difference: str
    interval: str
    test: str
    n: str
    direction: str
    sortable: float | None


@dataclass(frozen=True, slots=True)
class Shot:
    """A sample that only one side has right; ``picture`` is relative to the page, or empty."""

    key: str
    shows: str
    said: str
    share: str
    picture: str


@dataclass(frozen=True, slots=True)
class CompareView:
    """The page of a comparison; ``direction`` is that of top-1."""

    title: str
    direction: str
    conclusion: str
    notes: tuple[str, ...]
    sides: tuple[tuple[str, tuple[Fact, ...]], ...]
    overall: tuple[ChangeRow, ...]
    classes_text: str
    classes: tuple[ChangeRow, ...]
    chart: Chart | None
    broken: tuple[Shot, ...]
    fixed: tuple[Shot, ...]
    broken_total: int
    fixed_total: int


def compare_view(comparison: Comparison, pictures: Mapping[str, str]) -> CompareView:
    """What the page says; ``pictures`` are files by key."""
    labels = class_labels(comparison.class_names, comparison.class_ids)
    top1 = comparison.change("top1")
    sides = (comparison.baseline, comparison.candidate)
    return CompareView(
        title=" against ".join(side.pair.model for side in reversed(sides)),
        direction="not shown" if top1 is None else _direction(top1),
        conclusion=conclusion(comparison),
        notes=(*basis(comparison), table_text(comparison)),
        sides=tuple(
            (name, _facts(side))
            for name, side in zip(("Baseline", "Candidate"), sides, strict=True)
        ),
        overall=tuple(_row(metric_title(c.metric), c) for c in comparison.overall),
        classes_text=classes_text(comparison),
        classes=tuple(
            _row(labels[c.class_index or 0], c) for c in _by_difference(comparison.per_class)
        ),
        chart=_chart(comparison, labels),
        broken=_shots(comparison.broken_samples, labels, pictures),
        fixed=_shots(comparison.fixed_samples, labels, pictures),
        broken_total=comparison.broken,
        fixed_total=comparison.fixed,
    )


def _facts(side: Side) -> tuple[Fact, ...]:
    return (
        ("Model", str(side.pair)),
        ("Evaluation", side.evaluation),
        ("Scoring", side.scoring),
        ("Model fingerprint", side.model_fingerprint),
        ("Dataset version", side.dataset_version),
    )


def _row(name: str, change: Change) -> ChangeRow:
    if change.difference is None or change.baseline is None or change.candidate is None:
        said = CHANGE_SENTENCES[change.state]
        return ChangeRow(name, "—", "—", said, "", "", f"{change.n:,}", "not shown", None)
    interval = change.interval(CONFIDENCE)
    moved = [
        f"{count:,} {word}"
        for count, word in ((change.fixed, "fixed"), (change.broken, "broken"))
        if count is not None
    ]
    return ChangeRow(
        name=name,
        baseline=figure(change.metric, change.baseline),
        candidate=figure(change.metric, change.candidate),
        difference=difference_text(change.metric, change.difference),
        interval="too few" if interval is None else ends_text(change.metric, interval),
        test=", ".join([*moved, *([] if change.p is None else [p_text(change.p)])]),
        n=f"{change.n:,}",
        direction=_direction(change),
        sortable=change.difference,
    )


def _direction(change: Change) -> str:
    if not change.is_shown or change.difference is None:
        return "not shown"
    gained = change.difference < 0 if change.metric in LOSSES else change.difference > 0
    return "better" if gained else "worse"


def _by_difference(changes: Sequence[Change]) -> list[Change]:
    """The worst fall first; what cannot be compared last."""
    return sorted(changes, key=lambda c: (c.difference is None, c.difference or 0.0))


def _shots(
    samples: Sequence[ChangedSample], labels: Sequence[str], pictures: Mapping[str, str]
) -> tuple[Shot, ...]:
    return tuple(
        Shot(
            key=sample.key,
            shows=labels[sample.target],
            said=labels[sample.said],
            share=figure("", sample.confidence),
            picture=pictures.get(sample.key, ""),
        )
        for sample in samples
    )


def _chart(comparison: Comparison, labels: Sequence[str]) -> Chart | None:
    """The change of each class; of many, the largest falls and gains."""
    there = [c for c in _by_difference(comparison.per_class) if c.difference is not None]
    half = MOST_CLASSES // 2
    shown = there if len(there) <= MOST_CLASSES else [*there[:half], *there[-half:]]
    if not shown or comparison.is_identity:
        return None
    values = [100 * (change.difference or 0.0) for change in shown]
    ends = [change.interval(CONFIDENCE) for change in shown]
    names = [labels[change.class_index or 0] for change in shown]
    chart = go.Figure(
        go.Scatter(
            x=values,
            y=list(range(len(shown))),
            mode="markers",
            name="recall",
            marker={"color": OKABE_ITO[0], "size": 9},
            error_x={
                "array": [
                    0.0 if e is None else 100 * e[1] - v for e, v in zip(ends, values, strict=True)
                ],
                "arrayminus": [
                    0.0 if e is None else v - 100 * e[0] for e, v in zip(ends, values, strict=True)
                ],
                "color": OKABE_ITO[0],
                "thickness": 2,
                "width": 4,
            },
            hovertext=[
                f"{escaped(name)}: {difference_text(c.metric, c.difference or 0.0)}, n = {c.n:,}"
                for name, c in zip(names, shown, strict=True)
            ],
            hoverinfo="text",
        )
    )
    chart.update_xaxes(
        title={"text": "Change of recall, in points", "font": {"size": 13}},
        gridcolor=GRID,
        zeroline=True,
        zerolinecolor=GREY,
        automargin=True,
    )
    chart.update_yaxes(
        tickvals=list(range(len(shown))),
        ticktext=[short_label(name) for name in names],
        autorange="reversed",
        gridcolor=GRID,
        zeroline=False,
        automargin=True,
    )
    chart.update_layout(**look(height=130 + ROW_HEIGHT * len(shown)), showlegend=False)
    some = (
        "" if len(shown) == len(there) else f" The {half} largest falls and gains of {len(there)}."
    )
    caption = (
        f"How the recall of each class changed, with its {100 * CONFIDENCE:.4g} % confidence "
        f"interval; the worst fall on top.{some}"
    )
    return Chart.of(chart, "change-chart", caption)
