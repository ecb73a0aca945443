"""A night and its scorings → a report: every sentence and every figure, nothing of any page."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from tasks.layout import night_report
from tasks.metrics.intervals import CONFIDENCE
from tasks.metrics.scoring import Scoring
from tasks.metrics.words import counted, figure, metric_title
from tasks.night import SEVERITY, Night, Outcome, SkippedNote, Work
from tasks.report.changed import changes_since, newcomer
from tasks.report.classes import class_note, class_rows, confused_rows
from tasks.report.facts import inputs_of, provenance_of, versions_of
from tasks.report.findings import decisive_sentence, finding_row, warnings
from tasks.report.health import health_rows
from tasks.report.history import SCHEMA, History
from tasks.report.marks import change_figure, night_marks
from tasks.report.points import missed_points, point_rows
from tasks.report.trend import Trend
from tasks.report.view import (
    MetricRow,
    PairView,
    Report,
    SkippedGroup,
    WorkRow,
)
from tasks.report.words import (
    NO_FIGURE,
    STATES,
    duration_text,
    figure_of,
    method_text,
    metric_hint,
    moment_text,
)
from tasks.targets.words import overlaid_sentences

LISTED_SKIPPED = 50
"""Of each split's skipped entries so many are listed; the rest are counted."""


def build_report(
    night: Night,
    scorings: Mapping[str, Scoring],
    overrides: Mapping[str, Sequence[str]] | None = None,
    earlier: History | None = None,
) -> Report:
    """The report of a night.

    Args:
        night: its outcomes.
        scorings: by ``str(pair)``; a pair that is not among them appears with its message.
        overrides: by ``str(pair)``; who accepted that it failed.
        earlier: the last nights before it.
    """
    accepted = overrides or {}
    history = (earlier or History(SCHEMA.empty_table())).followed_by(night, scorings)
    series = history.overall("top1")
    outcomes = sorted(night.outcomes, key=lambda outcome: SEVERITY.index(outcome.state))
    states = [outcome.state for outcome in outcomes]
    return Report(
        night=night,
        state=STATES[night.state],
        headline=_headline(night),
        marks=night_marks(night),
        tally=tuple((STATES[s], states.count(s)) for s in SEVERITY if s in states),
        when=moment_text(night.started),
        intervals=f"{100 * _confidence(scorings):.4g} % confidence interval",
        pairs=tuple(
            _pair_view(
                outcome,
                scorings.get(str(outcome.pair)),
                accepted.get(str(outcome.pair), ()),
                Trend(str(outcome.pair), "top1", series[str(outcome.pair)]),
                history,
            )
            for outcome in outcomes
        ),
        work=_work_row(night.work),
        skipped=_skipped(outcomes),
        provenance=provenance_of(night),
        packages=tuple(sorted(night.provenance.packages.items())),
        history=history,
    )


def _headline(night: Night) -> str:
    answer = _answer(night)
    return answer if night.quick is None else f"Quick look: {answer[0].lower()}{answer[1:]}"


def _answer(night: Night) -> str:
    total = len(night.outcomes)
    if not total:
        return "Nothing was evaluated"
    pairs = counted(total, "pair")
    match night.state:
        case "passed":
            return f"Yes, all {pairs} passed" if total > 1 else "Yes, it passed"
        case "failed":
            verb = "failed"
        case "inconclusive":
            verb = "could not be decided"
        case "incomplete":
            verb = "could not be measured to the end"
        case "unusable":
            verb = "could not be measured"
    deciding = sum(outcome.state == night.state for outcome in night.outcomes)
    answer = "No" if night.state == "failed" else "Not yet"
    return f"{answer}, {deciding} of {pairs} {verb}"


def _confidence(scorings: Mapping[str, Scoring]) -> float:
    return next((scoring.confidence for scoring in scorings.values()), CONFIDENCE)


def _pair_view(
    outcome: Outcome,
    scoring: Scoring | None,
    overrides: Sequence[str],
    trend: Trend,
    history: History,
) -> PairView:
    pair, note = outcome.pair, outcome.comparison
    return PairView(
        pair=pair,
        split=str(pair.name.split),
        href=night_report(pair.name),
        state=STATES[outcome.state],
        sentence=decisive_sentence(outcome),
        notes=(*overrides, *_notes(outcome, scoring)),
        change=change_figure(note),
        change_is_shown=note is not None and note.top1 is not None and note.top1.is_shown,
        baseline="" if note is None else note.sentence,
        changes=changes_since(trend.points) or newcomer(trend.points, history),
        trend=trend,
        top1=NO_FIGURE if scoring is None else figure_of(scoring.metric("top1")),
        top5=NO_FIGURE if scoring is None else figure_of(scoring.metric("top5")),
        n="—" if scoring is None else f"{scoring.n:,}",
        work=_work_row(outcome.work),
        findings=tuple(finding_row(verdict, scoring) for verdict in outcome.verdicts),
        health=health_rows(outcome.findings),
        overall=() if scoring is None else _metric_rows(scoring),
        slices=() if scoring is None else _slice_rows(scoring),
        classes=() if scoring is None else class_rows(scoring),
        class_note="" if scoring is None else class_note(scoring),
        points=() if scoring is None else point_rows(scoring),
        confused=() if scoring is None else confused_rows(scoring),
        versions=versions_of(outcome),
        inputs=inputs_of(outcome, scoring),
        skipped=_skipped_group(str(pair.name.split), outcome.skipped),
        scoring=scoring,
    )


def _notes(outcome: Outcome, scoring: Scoring | None) -> tuple[str, ...]:
    notes = [] if outcome.quick is None else [outcome.quick.sentence]
    notes += [] if outcome.comparison is None else [outcome.comparison.sentence]
    notes += warnings(outcome.verdicts)
    if scoring is not None and scoring.overlaid is not None:
        notes += overlaid_sentences(scoring.overlaid)
    if scoring is not None:
        notes += [f"Warning: {sentence}" for sentence in missed_points(scoring)]
    if scoring is not None and scoring.failed:
        notes.append(f"{counted(scoring.failed, 'image')} could not be predicted{_range(scoring)}.")
    if scoring is not None and scoring.unlabelled:
        notes.append(
            f"{counted(scoring.unlabelled, 'image has', 'images have')} no label and no part in "
            "the figures."
        )
    return tuple(notes)


def _range(scoring: Scoring) -> str:
    bounds = (scoring.metric(f"top1_failed_as_{name}").value for name in ("wrong", "right"))
    low, high = (figure("top1", bound or 0.0) for bound in bounds)
    return f"; with all of them wrong top-1 is {low}, with all of them right {high}"


def _metric_rows(scoring: Scoring) -> tuple[MetricRow, ...]:
    return tuple(
        MetricRow(
            name=metric.name,
            title=metric_title(metric.name),
            hint=metric_hint(metric.name),
            figure=figure_of(metric),
            n=f"{metric.n:,}",
            method=method_text(metric),
        )
        for metric in scoring.overall
    )


def _slice_rows(scoring: Scoring) -> tuple[MetricRow, ...]:
    """Top-1 of each slice; the other k stand in metrics.json."""
    return tuple(
        MetricRow(
            name=metric.name,
            title=metric.slice or "",
            hint="",
            figure=figure_of(metric),
            n=f"{metric.n:,}",
            method=method_text(metric),
        )
        for metric in scoring.slices
        if metric.name == "top1"
    )


def _work_row(work: Work) -> WorkRow:
    return WorkRow(
        computed=counted(work.computed, "shard"),
        reused=counted(work.reused, "shard"),
        images=counted(work.images, "image"),
        duration=duration_text(timedelta(seconds=work.seconds)),
        rate=f"{work.images / work.seconds:,.0f} images/s" if work.images and work.seconds else "",
    )


def _skipped(outcomes: Iterable[Outcome]) -> tuple[SkippedGroup, ...]:
    """Per split; the models of a split share its entries, which are named once."""
    notes: dict[str, dict[SkippedNote, None]] = {}
    for outcome in outcomes:
        notes.setdefault(str(outcome.pair.name.split), {}).update(dict.fromkeys(outcome.skipped))
    groups = (_skipped_group(split, tuple(found)) for split, found in sorted(notes.items()))
    return tuple(group for group in groups if group is not None)


def _skipped_group(split: str, notes: tuple[SkippedNote, ...]) -> SkippedGroup | None:
    return SkippedGroup(split, len(notes), notes[:LISTED_SKIPPED]) if notes else None
