"""The areas of classes stand in the table where the scores were kept, and only there."""

import numpy as np

from tasks.metrics.ranking import RANKED_CLASS_NAMES, rank
from tasks.metrics.scoring import Scoring
from tasks.metrics.summary import class_metrics
from tasks.metrics.tallies import Tallies
from tasks.report.classes import class_rows
from tasks.report.words import Figure
from tests.tasks.metrics.made_by_hand import rows_of, scoring_of

SCORES = np.array([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.1, 0.8, 0.1], [0.5, 0.4, 0.1]])
TARGETS = [0, 0, 1, 1]


def ranked() -> Scoring:
    """Three classes of which the last has no sample; class 1 is told apart perfectly."""
    tallies = Tallies.of(rows_of(SCORES, TARGETS), 3)
    ranking = rank(lambda: iter([SCORES]), np.array(TARGETS, dtype=np.int32), 3, "float32")
    return scoring_of(tallies).model_copy(update={"per_class": class_metrics(tallies, ranking)})


def test_both_areas_are_shown_with_their_intervals() -> None:
    rows = {row.index: row for row in class_rows(ranked())}
    assert rows[1].areas is not None
    average_precision, auroc = rows[1].areas
    assert (average_precision.text, auroc.text) == ("100.0 %", "100.0 %")
    assert average_precision.interval.startswith("[34.2")
    absent = "undefined: the dataset has no sample of this class"
    assert rows[2].areas == (Figure(absent, defined=False), Figure(absent, defined=False))


def test_without_kept_scores_there_are_none() -> None:
    scoring = scoring_of(Tallies.of(rows_of(SCORES, TARGETS), 3))
    assert [row.areas for row in class_rows(scoring)] == [None] * 3


def test_records_of_before_the_areas_are_shown_without() -> None:
    scoring = ranked()
    older = tuple(m for m in scoring.per_class if m.name not in RANKED_CLASS_NAMES)
    rows = class_rows(scoring.model_copy(update={"per_class": older}))
    assert [row.areas for row in rows] == [None] * 3
