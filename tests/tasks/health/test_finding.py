"""A finding survives its file, and never hides that a check did not run."""

import pytest
from pydantic import ValidationError

from tasks.health.finding import LISTED, TITLES, Evidence, Finding, ImagePair, listed
from tasks.night import Outcome
from tasks.records import Pair

PAIR = Pair(dataset="d", split="s", model="m")


def test_an_outcome_carries_findings_through_json() -> None:
    pair = ImagePair(key="<script>", other="b", copy_kind="near", distance=0.5)
    found = Finding.warning("leakage", "1 of 2.", Evidence(pairs=(pair,), pairs_total=1), "Look.")
    outcome = Outcome(pair=PAIR, state="passed", message="", findings=(found,))
    assert Outcome.model_validate_json(outcome.model_dump_json()) == outcome


def test_an_older_night_has_no_findings() -> None:
    assert Outcome(pair=PAIR, state="passed", message="").findings == ()


def test_what_was_not_checked_says_why() -> None:
    found = Finding.not_checked("leakage", "the plan names no training images.")
    assert (found.checked, found.severity) == (False, "info")
    assert found.sentence == "Not checked: the plan names no training images."


def test_every_check_has_a_title() -> None:
    for check, title in TITLES.items():
        assert Finding.info(check, "Fine.").title == title
    with pytest.raises(ValidationError, match="check"):
        Finding.model_validate({"check": "luck", "severity": "info", "title": "", "sentence": ""})


def test_evidence_is_cut() -> None:
    assert listed(range(LISTED + 5)) == tuple(range(LISTED))
