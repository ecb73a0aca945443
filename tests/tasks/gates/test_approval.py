from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from shards.errors import InputError
from shards.store import Store
from tasks.gates.approval import answered, passed_in, promotions, question
from tasks.gates.decisions import Decision, read_decisions, record, revocation
from tasks.night import Night
from tests.support.stored import EPOCH, logits, outcome_of, pair_name, store_evaluation, store_night

PAIR = pair_name("net")
TARGETS = (np.arange(40) % 4).tolist()
NOW = EPOCH + timedelta(days=9)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.at(tmp_path)


def passed_night(store: Store, day: int, version: str) -> Night:
    scores = logits(np.array(TARGETS), 4, skill=2, seed=int(version))
    stored = store_evaluation(store, PAIR, scores, TARGETS, version=version)
    night = store_night(store, day, outcome_of(stored))
    return night.model_copy(update={"promotion": "approval"})


def decide(store: Store, night: Night, *, approved: bool, minutes: int = 0) -> Decision:
    (proposal,) = promotions(store, night, NOW)
    now = NOW + timedelta(minutes=minutes)
    made = answered(proposal, approved=approved, who="Ada", why="looked at it", now=now)
    record(store, made)
    return made


def test_what_passed_waits_only_where_the_plan_has_it_so(store: Store) -> None:
    night = passed_night(store, 1, "1")
    (proposal,) = promotions(store, night, NOW)
    assert (proposal.evaluation, proposal.night) == (night.outcomes[0].evaluation, night.name)
    for other in ("automatic", "manual"):
        assert promotions(store, night.model_copy(update={"promotion": other}), NOW) == ()


def test_an_approval_is_a_promotion_in_a_persons_name(store: Store) -> None:
    night = passed_night(store, 1, "1")
    made = decide(store, night, approved=True)
    assert read_decisions(store, PAIR).baseline() == made
    assert (made.kind, made.who, made.why, made.night) == (
        "promote",
        "Ada",
        "looked at it",
        night.name,
    )
    assert promotions(store, night, NOW) == (), "it is the baseline"


def test_what_was_declined_is_no_baseline_and_nobody_is_asked_again(store: Store) -> None:
    first, again = passed_night(store, 1, "1"), passed_night(store, 2, "1")
    made = decide(store, first, approved=False)
    known = read_decisions(store, PAIR)
    assert (known.baseline(), known.standing("decline")) == (None, [made])
    assert promotions(store, again, NOW) == ()
    record(store, revocation(known, made.id, "Bo", "a mistake", NOW + timedelta(minutes=1)))
    assert len(promotions(store, again, NOW)) == 1, "unless the decision is revoked"


def test_answers_in_the_order_of_the_nights_count_and_an_older_one_is_passed_over(
    store: Store,
) -> None:
    first, second, third = (passed_night(store, day, str(day)) for day in (1, 2, 3))
    decide(store, first, approved=True)
    newest = decide(store, third, approved=True, minutes=1)
    assert promotions(store, second, NOW) == (), "an answer to it would take the baseline back"
    assert read_decisions(store, PAIR).baseline() == newest


def test_the_question_says_what_it_was_compared_with_and_where_the_report_is(store: Store) -> None:
    night = passed_night(store, 1, "1")
    outcome = passed_in(night, PAIR)
    text = question(night, outcome, "root/nights/x/index.html")
    assert "it would be the first baseline" in text
    assert "`root/nights/x/index.html`" in text
    assert str(outcome.evaluation) in text
    with pytest.raises(InputError, match="did not evaluate made/test/other"):
        passed_in(night, pair_name("other"))
