from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from shards.errors import InputError
from shards.store import Store
from tasks.gates.decisions import Decision, Decisions, new_id
from tasks.gates.gate import Gate
from tasks.gates.judging import judge
from tasks.gates.promotion import (
    automatic_promotion,
    check_promotable,
    failed_gates,
    judged_in,
    refuse_quick,
)
from tasks.night import Night, Outcome
from tests.support.stored import EPOCH, logits, outcome_of, pair_name, store_evaluation, store_night

TARGETS = (np.arange(40) % 4).tolist()
NOW = EPOCH + timedelta(days=9)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.at(tmp_path)


def evaluated(store: Store, version: str = "1"):
    scores = logits(np.array(TARGETS), 4, skill=2, seed=int(version))
    return store_evaluation(store, pair_name("net"), scores, TARGETS, version=version)


def promotion(outcome: Outcome, night: str, time: datetime, who: str = "nightmark") -> Decision:
    return Decision(
        id=new_id(time),
        kind="promote",
        pair=outcome.pair,
        time=time,
        who=who,
        why="passed",
        evaluation=outcome.evaluation,
        scoring=outcome.scoring,
        evaluated=outcome.pair,
        night=night,
    )


def revoked(decision: Decision) -> Decision:
    return Decision(
        id=new_id(NOW),
        kind="revoke",
        pair=decision.pair,
        time=NOW,
        who="Ada",
        why="wrong",
        revokes=decision.id,
    )


def asked(night: Night, *decisions: Decision) -> Decision | None:
    return automatic_promotion(night.outcomes[0], night, Decisions(decisions), NOW)


def test_what_passed_is_promoted_once_and_names_its_night(store: Store) -> None:
    stored = evaluated(store)
    night = store_night(store, 1, outcome_of(stored))
    made = asked(night)
    assert made is not None
    assert (made.kind, made.who, made.night) == ("promote", "nightmark", night.name)
    assert (made.evaluation, made.scoring) == (stored.evaluation.id, stored.scoring.id)
    assert asked(night, made) is None
    later = store_night(store, 2, outcome_of(stored))
    assert asked(later, made) is None, "it is the baseline already"


@pytest.mark.parametrize("state", ["failed", "inconclusive", "incomplete", "unusable"])
def test_nothing_else_is_ever_promoted(store: Store, state: str) -> None:
    night = store_night(store, 1, outcome_of(evaluated(store), state=state))
    assert asked(night) is None


def test_a_model_that_came_back_is_promoted_again(store: Store) -> None:
    old, new = evaluated(store, "1"), evaluated(store, "2")
    first, second, third = (
        store_night(store, day, outcome_of(stored))
        for day, stored in ((1, old), (2, new), (3, old))
    )
    made = [promotion(night.outcomes[0], night.name, night.finished) for night in (first, second)]
    again = asked(third, *made)
    assert again is not None
    assert again.evaluation == old.evaluation.id


def test_what_a_person_revoked_is_not_promoted_behind_their_back(store: Store) -> None:
    stored = evaluated(store)
    first = store_night(store, 1, outcome_of(stored))
    made = promotion(first.outcomes[0], first.name, first.finished)
    night = store_night(store, 2, outcome_of(stored))
    assert asked(night, made, revoked(made)) is None
    assert asked(first, made, revoked(made)) is None
    other = store_night(store, 3, outcome_of(evaluated(store, "2")))
    assert asked(other, made, revoked(made)) is not None


def test_an_older_night_does_not_pass_over_a_newer_decision(store: Store) -> None:
    night = store_night(store, 1, outcome_of(evaluated(store, "1")))
    other = outcome_of(evaluated(store, "2"))
    by_hand = promotion(other, "x", night.started + timedelta(seconds=5), who="Ada")
    assert asked(night, by_hand) is None
    before = promotion(other, "x", night.started - timedelta(seconds=5), who="Ada")
    assert asked(night, before) is not None


def failed(store: Store):
    stored = evaluated(store)
    gates = (Gate(metric="top1", min=1, policy="point"), Gate(metric="top1", min=0.1))
    gates += (Gate(metric="top5", max=0.1, severity="warn"),)
    verdicts = tuple(judge(gate, stored.scoring) for gate in gates)
    return stored, outcome_of(stored, state="failed", verdicts=verdicts)


def test_a_person_promotes_what_passed(store: Store) -> None:
    passed = outcome_of(evaluated(store))
    check_promotable(passed, Decisions(), NOW)
    for state in ("inconclusive", "incomplete"):
        with pytest.raises(InputError, match=f"is {state}, and only what passed is promoted"):
            check_promotable(passed.model_copy(update={"state": state}), Decisions(), NOW)


def test_a_person_promotes_what_failed_only_after_an_override_of_every_gate(store: Store) -> None:
    stored, outcome = failed(store)
    assert failed_gates(outcome) == ("Top-1 accuracy overall at least 100.0 %",)
    with pytest.raises(InputError, match=r"failed \(Top-1 accuracy .* `nightmark override`"):
        check_promotable(outcome, Decisions(), NOW)
    override = Decision(
        id="o",
        kind="override",
        pair=outcome.pair,
        time=NOW,
        who="Ada",
        why="the labels are wrong",
        evaluation=stored.evaluation.id,
        scoring=stored.scoring.id,
        evaluated=outcome.pair,
        night="n",
        gates=failed_gates(outcome),
        expires=NOW + timedelta(days=1),
    )
    check_promotable(outcome, Decisions([override]), NOW)
    with pytest.raises(InputError, match="failed"):
        check_promotable(outcome, Decisions([override]), NOW + timedelta(days=2))
    other = override.model_copy(update={"gates": ("another",)})
    with pytest.raises(InputError, match="failed"):
        check_promotable(outcome, Decisions([other]), NOW)


def test_the_newest_night_that_judged_the_figures_counts(store: Store) -> None:
    stored = evaluated(store)
    store_night(store, 1, outcome_of(stored))
    newest = store_night(store, 2, outcome_of(stored, state="failed"))
    night, outcome = judged_in(store, stored)
    assert (night, outcome.state) == (newest, "failed")
    store_night(store, 3, outcome_of(stored), quick=1)
    assert judged_in(store, stored) == (newest, outcome)
    with pytest.raises(InputError, match="no stored night judged made/test/net"):
        judged_in(store, evaluated(store, "2"))


def test_nothing_of_a_quick_look_is_promoted(store: Store) -> None:
    stored = evaluated(store)
    outcome = outcome_of(stored)
    night = store_night(store, 1, outcome)
    assert automatic_promotion(outcome, night, Decisions([]), NOW) is not None
    quick = store_night(store, 2, outcome, quick=1)
    assert automatic_promotion(outcome, quick, Decisions([]), NOW) is None
    refuse_quick(stored)
    part = replace(stored, evaluation=stored.evaluation.model_copy(update={"quick": 1}))
    with pytest.raises(InputError, match="is a quick look at the first 1 shard, and no baseline"):
        refuse_quick(part)
