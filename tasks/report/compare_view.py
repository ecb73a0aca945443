"""A comparison → what its page shows: all text is made, nothing is marked up or escaped yet."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from tasks.metrics.change import CHANGE_SENTENCES, Change
from tasks.metrics.comparison import LISTED_SAMPLES, Comparison, Side
from tasks.metrics.comparison_words import (
    FALSE_DISCOVERIES,
    basis,
    classes_text,
    conclusion,
    difference_text,
    ends_text,
    is_claimed,
    p_figure,
    signed,
)
from tasks.metrics.intervals import CONFIDENCE
from tasks.metrics.metric import Metric
from tasks.metrics.words import LOSSES, class_labels, figure, metric_title
from tasks.report.view import Fact
from tasks.report.words import Figure, figure_of


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One figure on both sides.

    Attributes:
        change: the numbers behind the text, for tables that sort and for charts.
        direction: ``better`` or ``worse`` where the change is claimed, else ``not shown``.
    """

    change: Change
    name: str
    baseline: str
    candidate: str
    difference: str
    interval: str = ""
    fixed: str = ""
    broken: str = ""
    p: str = ""
    q: str = ""
    direction: str = "not shown"

    @property
    def n(self) -> str:
        return f"{self.change.n:,}"


@dataclass(frozen=True, slots=True)
class ShareRow:
    """How many of the images, and which share of them."""

    name: str
    hint: str
    images: str
    share: Figure
    n: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a side took a sample for, and how surely."""

    side: str
    said: str
    share: str
    is_right: bool


@dataclass(frozen=True, slots=True)
class Shot:
    """A sample that only one side has right, the mistaken side's answer first.

    ``picture`` is relative to the page, or empty.
    """

    key: str
    shows: str
    answers: tuple[Answer, Answer]
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
    shares: tuple[ShareRow, ...]
    classes_text: str
    classes: tuple[ChangeRow, ...]
    broken: tuple[Shot, ...]
    fixed: tuple[Shot, ...]
    broken_total: int
    fixed_total: int


def compare_view(
    comparison: Comparison, changed: pa.Table, pictures: Mapping[str, str]
) -> CompareView:
    """What the page says.

    Args:
        comparison: the figures.
        changed: its fixed and broken samples, of ``aligned.CHANGED``, in the order of looking.
        pictures: files by key.
    """
    labels = class_labels(comparison.class_names, comparison.class_ids)
    top1 = comparison.change("top1")
    sides = (comparison.baseline, comparison.candidate)
    return CompareView(
        title=" against ".join(side.pair.model for side in reversed(sides)),
        direction="not shown" if top1 is None else _direction(top1),
        conclusion=conclusion(comparison),
        notes=basis(comparison),
        sides=tuple(
            (name, _facts(side))
            for name, side in zip(("Baseline", "Candidate"), sides, strict=True)
        ),
        overall=tuple(_row(metric_title(c.metric), c) for c in comparison.overall),
        shares=tuple(_shares(comparison)),
        classes_text=classes_text(comparison),
        classes=tuple(
            _class_row(labels[c.class_index or 0], c) for c in _by_difference(comparison.per_class)
        ),
        broken=tuple(_shots(changed, "broken", labels, pictures)),
        fixed=tuple(_shots(changed, "fixed", labels, pictures)),
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
        return ChangeRow(change, name, "—", "—", CHANGE_SENTENCES[change.state])
    interval = change.interval(CONFIDENCE)
    return ChangeRow(
        change=change,
        name=name,
        baseline=figure(change.metric, change.baseline),
        candidate=figure(change.metric, change.candidate),
        difference=difference_text(change.metric, change.difference),
        interval="too few" if interval is None else ends_text(change.metric, interval),
        fixed="" if change.fixed is None else f"{change.fixed:,}",
        broken="" if change.broken is None else f"{change.broken:,}",
        p="" if change.p is None else p_figure(change.p),
        q="" if change.q is None else p_figure(change.q, (FALSE_DISCOVERIES,)),
        direction=_direction(change),
    )


def _class_row(name: str, change: Change) -> ChangeRow:
    """The unit stands at the head of the column, which is narrow."""
    row = _row(name, change)
    return row if change.difference is None else replace(row, difference=signed(change.difference))


def _direction(change: Change) -> str:
    if not is_claimed(change) or change.difference is None:
        return "not shown"
    gained = change.difference < 0 if change.metric in LOSSES else change.difference > 0
    return "better" if gained else "worse"


def _by_difference(changes: Sequence[Change]) -> list[Change]:
    """The worst fall first; what cannot be compared last."""
    return sorted(changes, key=lambda c: (c.difference is None, c.difference or 0.0))


def _shares(comparison: Comparison) -> Iterator[ShareRow]:
    """How far the two agree, and who has which images right."""
    churn = comparison.churn
    changed = churn.hits or 0
    yield _share("Same first answer", "agreement", churn.n - changed, churn.n)
    yield _share("Another first answer", "churn", changed, churn.n)
    for name, hint, count in (
        ("Both right", "", comparison.both_right),
        ("Fixed", "only the candidate is right", comparison.fixed),
        ("Broken", "only the baseline is right", comparison.broken),
        ("Both wrong", "", comparison.both_wrong),
    ):
        yield _share(name, hint, count, comparison.n)


def _share(name: str, hint: str, count: int, n: int) -> ShareRow:
    found = Metric.proportion(name, count, n) if n else Metric.undefined(name, "no_samples")
    return ShareRow(name, hint, f"{count:,}", figure_of(found), f"{n:,}")


def _shots(
    changed: pa.Table, change: str, labels: Sequence[str], pictures: Mapping[str, str]
) -> Iterator[Shot]:
    rows = changed.filter(pc.field("change") == change).slice(0, LISTED_SAMPLES)
    sides = ("candidate", "baseline")
    mistaken, right = sides if change == "broken" else reversed(sides)
    for row in rows.to_pylist():
        yield Shot(
            key=row["key"],
            shows=labels[row["target"]],
            answers=(
                _answer(row, mistaken, labels, is_right=False),
                _answer(row, right, labels, is_right=True),
            ),
            picture=pictures.get(row["key"], ""),
        )


def _answer(
    row: Mapping[str, int | float], side: str, labels: Sequence[str], *, is_right: bool
) -> Answer:
    said = labels[int(row[f"{side}_prediction"])]
    return Answer(side, said, figure("", row[f"{side}_confidence"]), is_right)
