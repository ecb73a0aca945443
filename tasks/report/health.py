"""Findings → rows of the report."""

from collections.abc import Iterable

from tasks.health.finding import Check, Finding
from tasks.health.words import evidence_lines
from tasks.report.view import HealthRow

BADGES = {"warn": ("warning", "!", "look at this"), "info": ("passed", "✓", "no warning")}
IMAGES: dict[Check, str] = {
    "leakage": "copies",
    "duplicates": "copies",
    "label_errors": "suspects",
}
"""The list of a gallery that shows what a check is about."""
NOT_CHECKED = ("not_applicable", "—", "not checked")


def health_rows(findings: Iterable[Finding]) -> tuple[HealthRow, ...]:
    """One row per check: what warns first, what could not be checked last."""
    order = sorted(findings, key=lambda found: (not found.checked, found.severity != "warn"))
    return tuple(_row(found) for found in order)


def _row(found: Finding) -> HealthRow:
    state, icon, word = BADGES[found.severity] if found.checked else NOT_CHECKED
    return HealthRow(
        state=state,
        icon=icon,
        word=word,
        title=found.title,
        sentence=found.sentence,
        advice=found.advice,
        lines=evidence_lines(found),
        warns=found.severity == "warn",
        images=IMAGES.get(found.check, ""),
    )
