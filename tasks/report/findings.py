"""Verdicts → rows and sentences of the report."""

from collections.abc import Iterable

from tasks.gates.verdict import Verdict
from tasks.metrics.comparison_words import difference_text
from tasks.metrics.scoring import Scoring
from tasks.metrics.words import class_labels, counted
from tasks.night import Outcome
from tasks.report.view import FindingRow
from tasks.report.words import STATES, figure_of

POLICIES = {
    "proven": "the whole interval must be on the right side",
    "not_disproven": "fails only if the whole interval is on the wrong side",
    "point": "the value alone decides",
}


def decisive_sentence(outcome: Outcome) -> str:
    """Why a pair has its state: its message, or the first gate that led to the state."""
    if outcome.state in ("unusable", "incomplete"):
        return outcome.message
    deciding = [
        verdict
        for verdict in outcome.verdicts
        if verdict.gate.severity == "fail" and verdict.state == outcome.state
    ]
    if not deciding:
        return outcome.message or "No gate could judge this pair, so nothing is proven."
    if len(deciding) == 1:
        return deciding[0].sentence
    rest = counted(len(deciding) - 1, "more gate")
    verb = "could not be decided" if outcome.state == "inconclusive" else outcome.state
    return f"{deciding[0].sentence} {rest} {verb}."


def warnings(verdicts: Iterable[Verdict]) -> tuple[str, ...]:
    """The sentences of the gates that failed and may only warn."""
    return tuple(
        f"Warning: {verdict.sentence}"
        for verdict in verdicts
        if verdict.gate.severity == "warn" and verdict.state == "failed"
    )


def finding_row(verdict: Verdict, scoring: Scoring | None) -> FindingRow:
    """One gate; class names are known only with the scoring that it was judged on."""
    failing = _failing(verdict, scoring) if verdict.failing > 1 and scoring is not None else ()
    warns = verdict.gate.severity == "warn"
    return FindingRow(
        gate=verdict.gate,
        demand=str(verdict.gate),
        terms=_terms(verdict),
        state=STATES["warning" if warns and verdict.state == "failed" else verdict.state],
        warns_only=warns,
        sentence=verdict.sentence,
        failing=failing,
        unlisted=verdict.failing - len(failing) if failing else 0,
    )


def _failing(verdict: Verdict, scoring: Scoring) -> tuple[str, ...]:
    # The evidence is ordered worst first, so that the failing ones stand at its head.
    labels = class_labels(scoring.class_names, scoring.class_ids)
    levels = tuple(
        f"{metric.slice or labels[metric.class_index or 0]} {figure_of(metric)}"
        for metric in verdict.evidence[: verdict.failing]
        if metric.scope != "overall"
    )
    changes = tuple(
        f"{labels[change.class_index]} {difference_text(change.metric, change.difference)}"
        for change in verdict.changes[: verdict.failing]
        if change.class_index is not None and change.difference is not None
    )
    return levels or changes


def _terms(verdict: Verdict) -> str:
    gate = verdict.gate
    parts = [POLICIES[gate.effective_policy]]
    if gate.effective_policy != "point":
        parts.append(f"confidence {100 * gate.confidence:.4g} %")
    if gate.is_change:
        parts.append("on the change against the baseline")
    if gate.per_class:
        parts.append(f"{counted(verdict.judged, 'class', 'classes')} judged")
    if gate.scope == "slice":
        parts.append(f"{counted(verdict.judged, 'slice')} judged")
    return "; ".join(parts)
