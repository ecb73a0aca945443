import itertools
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from shards.errors import ShardError
from tasks.gates.gate import Gate
from tasks.gates.sentences import VerdictState
from tasks.gates.verdict import Verdict
from tasks.night import (
    SEVERITY,
    Night,
    Outcome,
    OutcomeState,
    Provenance,
    Work,
    judged_state,
    worst,
)
from tasks.records import Pair


def verdict(state: VerdictState, severity: str = "fail") -> Verdict:
    gate = Gate.model_validate({"metric": "top1", "min": 0.5, "severity": severity})
    return Verdict(gate=gate, state=state, sentence="so", evidence=(), judged=1, failing=0)


def outcome(state: OutcomeState, **changes: Any) -> Outcome:
    pair = Pair(dataset="d", split="s", model=state)
    return Outcome(pair=pair, state=state, message="so it is", **changes)


def night(*outcomes: Outcome) -> Night:
    return Night(
        name="20260203t090500z-abc",
        plan="p",
        plan_digest="0" * 64,
        started=datetime(2026, 2, 3, 9, 5, tzinfo=UTC),
        finished=datetime(2026, 2, 3, 9, 6, tzinfo=UTC),
        state=worst([entry.state for entry in outcomes]),
        outcomes=outcomes,
        provenance=Provenance.here(("cpu:0",)),
    )


def test_a_night_is_as_bad_as_its_worst_pair() -> None:
    for states in itertools.permutations(SEVERITY):
        assert worst(list(states)) == "failed"
    for better, state in enumerate(SEVERITY):
        assert worst([*reversed(SEVERITY[better:])]) == state
        assert worst([state, state]) == state


def test_a_night_without_pairs_is_incomplete() -> None:
    assert worst([]) == "incomplete"


@pytest.mark.parametrize(
    ("states", "failed", "expected"),
    [
        (["passed"], 0, "passed"),
        (["passed", "passed"], 1, "passed"),
        (["passed"], 2, "incomplete"),
        (["failed"], 2, "failed"),
        (["failed", "passed"], 0, "failed"),
        (["inconclusive", "passed"], 0, "inconclusive"),
        (["inconclusive"], 2, "incomplete"),
        (["not_applicable"], 0, "inconclusive"),
        (["not_applicable", "passed"], 0, "passed"),
        ([], 0, "inconclusive"),
        ([], 2, "incomplete"),
    ],
)
def test_the_state_of_a_judged_pair(
    states: list[VerdictState], failed: int, expected: OutcomeState
) -> None:
    verdicts = tuple(verdict(state) for state in states)
    assert judged_state(verdicts, n=9, failed=failed, max_failed=1) == expected


def test_a_warning_fails_nothing() -> None:
    verdicts = (verdict("failed", "warn"), verdict("passed"))
    assert judged_state(verdicts, n=1, failed=0, max_failed=0) == "passed"


def test_where_nothing_was_measured_nothing_is_green() -> None:
    for verdicts in ((), (verdict("inconclusive"),), (verdict("passed"),)):
        assert judged_state(verdicts, n=0, failed=0, max_failed=9) == "unusable"
        assert judged_state(verdicts, n=0, failed=3, max_failed=9) == "incomplete"


def test_the_work_of_a_night_is_the_sum() -> None:
    works = (
        Work(computed=2, reused=1, images=20, seconds=1.5),
        Work(computed=0, reused=3, images=0, seconds=0.5),
    )
    outcomes = (outcome("passed", work=works[0]), outcome("failed", work=works[1]))
    assert night(*outcomes).work == Work(computed=2, reused=4, images=20, seconds=2.0)
    assert night().work == Work()


def test_a_night_survives_its_file() -> None:
    found = night(outcome("passed", verdicts=(verdict("passed"),)), outcome("unusable"))
    assert found.state == "unusable"
    assert Night.from_json(found.to_json(), "night.json") == found
    with pytest.raises(ShardError, match=r"night\.json is no Night of this version"):
        Night.from_json(found.to_json().replace(b"unusable", b"unlikely"), "night.json")


def test_a_night_of_before_there_were_baselines_still_loads() -> None:
    tree = json.loads(night(outcome("passed", verdicts=(verdict("passed"),))).to_json())
    del tree["promotion"]
    for name in ("kind", "quick", "deadline"):
        del tree[name]
    for name in ("evaluation", "comparison"):
        del tree["outcomes"][0][name]
    old = tree["outcomes"][0]["verdicts"][0]
    del old["changes"]
    for name in ("slices", "max_drop", "max_rise", "min_gain", "relative", "bands"):
        del old["gate"][name]
    found = Night.from_json(json.dumps(tree).encode(), "night.json")
    assert found.promotion == "manual", "nothing of it is promoted in hindsight"
    assert found.outcomes[0].verdicts == (verdict("passed"),)


def test_provenance_names_what_was_used() -> None:
    here = Provenance.here(("cpu:0", "cpu:1"))
    assert here.devices == ("cpu:0", "cpu:1")
    assert here.cores >= 1
    assert set(here.packages) >= {"nightmark", "torch", "prefect"}


def test_an_outcome_has_a_known_state() -> None:
    with pytest.raises(ValidationError, match="state"):
        Outcome.model_validate(
            {"pair": Pair(dataset="d", split="s", model="m"), "state": "fine", "message": "x"}
        )


def test_later_work_on_the_same_shards_reuses_no_more_than_there_was() -> None:
    first = Work(computed=2, reused=2, damaged=2, images=10, seconds=1.0, slots=1, setup="a")
    total = Work().followed_by(first).followed_by(Work(damaged=1))
    total = total.followed_by(Work(computed=1, reused=3, images=5, seconds=0.5, slots=2))
    assert total == Work(
        computed=3, reused=1, damaged=3, images=15, seconds=1.5, slots=2, setup="a"
    )
