"""Operating points that were checked again → rows of the report."""

from collections.abc import Iterator

from tasks.metrics.point_words import check_sentence
from tasks.metrics.scoring import Scoring
from tasks.report.view import PointRow
from tasks.report.words import STATES

WORDS = {
    "reached": "passed",
    "missed": "warning",
    "undecided": "inconclusive",
    "undefined": "inconclusive",
}
"""A threshold by itself only warns; a gate on it may fail."""


def point_rows(scoring: Scoring) -> tuple[PointRow, ...]:
    """One row per operating point of the plan, in its order."""
    return tuple(
        PointRow(
            name=f"{scoring.class_names[check.class_index]}: {check.wanted}",
            state=STATES[WORDS[check.state]],
            sentence=check_sentence(check, scoring.classes),
        )
        for check in scoring.operating_points
    )


def missed_points(scoring: Scoring) -> Iterator[str]:
    """What is no longer reached, or cannot be checked, in sentences."""
    for check in scoring.operating_points:
        if check.state in ("missed", "undefined"):
            yield check_sentence(check, scoring.classes)
