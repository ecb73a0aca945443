from datetime import UTC, datetime

import pytest

from shards.store import Store
from tasks.night import Night, Outcome, OutcomeState
from tasks.night_words import ended, night_sentence
from tasks.records import Pair
from tests.support.stored import store_night


def outcome(model: str, state: OutcomeState, message: str, **how: object) -> Outcome:
    pair = Pair(dataset="d", split="test", model=model)
    return Outcome.model_validate({"pair": pair, "state": state, "message": message, **how})


def night(root: object, *outcomes: Outcome, **changes: object) -> Night:
    return store_night(Store.at(str(root)), 1, *outcomes, **changes)


def test_the_pairs_that_decided_say_why(root: object) -> None:
    outcomes = [outcome(f"m{n}", "failed", f"reason {n}") for n in range(4)]
    found = night_sentence(night(root, outcome("good", "passed", "1 gate met."), *outcomes))
    assert found == "d/test/m0: reason 0; d/test/m1: reason 1; d/test/m2: reason 2."


def test_a_deadline_names_what_was_not_reached(root: object) -> None:
    late = [outcome(f"m{n}", "incomplete", "too late", cut_off=True) for n in range(5)]
    moment = datetime(2026, 3, 29, 4, 30, tzinfo=UTC)
    found = night_sentence(night(root, outcome("a", "passed", "met."), *late, deadline=moment))
    assert found == (
        "The deadline 2026-03-29 04:30:00 UTC came first: 5 of 6 pairs were not measured to the "
        "end (d/test/m0, d/test/m1, d/test/m2, and 2 more)."
    )
    broken = outcome("b", "incomplete", "shard 3 is missing")
    both = night_sentence(night(root, late[0], broken, deadline=moment))
    assert both.endswith(
        "1 of 2 pairs was not measured to the end (d/test/m0). d/test/b: shard 3 is missing."
    )


def test_a_deadline_that_was_kept_is_not_mentioned(root: object) -> None:
    moment = datetime(2026, 3, 29, 4, 30, tzinfo=UTC)
    found = night_sentence(night(root, outcome("a", "passed", "met."), deadline=moment))
    assert found == "d/test/a: met."


def test_a_quick_look_and_an_empty_night_say_so(root: object) -> None:
    found = night_sentence(night(root, outcome("a", "passed", "met."), quick=2))
    assert found.startswith("A quick look at the first 2 shards of each split: nothing of it is")
    assert "nothing to evaluate" in night_sentence(night(root))
    assert night_sentence(night(root, kind="reprocess")) == "There was no pair to evaluate."


@pytest.mark.parametrize(("text", "end"), [("so", "so."), ("so.", "so."), ("so?", "so?")])
def test_sentences_end(text: str, end: str) -> None:
    assert ended(text) == end
