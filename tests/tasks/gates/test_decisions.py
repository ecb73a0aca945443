from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from shards.errors import InputError, ShardError
from shards.store import Store
from tasks.gates.decisions import (
    Decision,
    DecisionKind,
    Decisions,
    all_pairs,
    new_id,
    read_decisions,
    record,
    revocation,
)
from tasks.records import Pair

START = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
PAIR = Pair(dataset="d", split="test", model="net")


def decision(kind: DecisionKind, day: int, evaluation: str = "e1", **changes: object) -> Decision:
    time = START + timedelta(days=day)
    facts: dict[str, object] = {
        "id": f"{kind}-{day}",
        "kind": kind,
        "pair": PAIR,
        "time": time,
        "who": "Ada",
        "why": "it is better",
    }
    if kind != "revoke":
        facts |= {"evaluation": evaluation, "scoring": f"s{evaluation}", "evaluated": PAIR}
    if kind == "override":
        facts |= {"night": "n1", "gates": ("top1 at least 85 %",)}
    return Decision.model_validate({**facts, **changes})


def revoke(day: int, of: Decision) -> Decision:
    return decision("revoke", day, revokes=of.id)


def baseline(*decisions: Decision) -> str | None:
    found = Decisions(decisions).baseline()
    return None if found is None else found.evaluation


def test_the_newest_valid_pin_is_the_baseline_and_else_the_newest_valid_promotion() -> None:
    first, second = decision("promote", 1, "e1"), decision("promote", 2, "e2")
    pin = decision("pin", 3, "e3")
    later = decision("promote", 4, "e4")
    assert baseline() is None
    assert baseline(first, second) == "e2"
    assert baseline(first, second, revoke(3, second)) == "e1"
    assert baseline(first, pin, later) == "e3"
    assert baseline(first, pin, later, revoke(5, pin)) == "e4"
    assert baseline(first, pin, decision("pin", 4, "e5")) == "e5"
    assert baseline(first, revoke(2, first)) is None


def test_an_override_holds_until_it_expires_or_is_revoked() -> None:
    until = decision("override", 1, expires=START + timedelta(days=3))
    known = Decisions([until])
    day = [START + timedelta(days=n) for n in range(6)]
    assert known.accepted("e1", day[2]) == {"top1 at least 85 %"}
    assert known.accepted("e1", day[3]) == frozenset()
    assert known.accepted("e2", day[2]) == frozenset()
    assert (known.state(until, day[2]), known.state(until, day[4])) == ("valid", "expired")
    gone = Decisions([until, revoke(2, until)])
    assert gone.state(until, day[2]) == "revoked"
    assert gone.accepted("e1", day[2]) == frozenset()


def test_a_decision_is_told_with_what_became_of_it() -> None:
    until = decision("override", 1, expires=START + timedelta(days=3, hours=22))
    known = Decisions([until])
    said = "2026-11-21 02:00 UTC, Ada: it is better (until 2026-11-23)"
    assert known.sentence(until, START) == said
    assert known.sentence(until, START + timedelta(days=9)) == f"{said} — expired"
    gone = Decisions([until, revoke(2, until)])
    assert gone.sentence(until, START) == f"{said} — revoked by Ada: it is better"


def test_decisions_are_kept_in_order_and_never_rewritten(tmp_path: Path) -> None:
    store = Store.at(tmp_path)
    late, early = decision("pin", 5), decision("promote", 1)
    for found in (late, early):
        record(store, found)
    assert read_decisions(store, PAIR.name) == (early, late)
    assert [str(pair) for pair in all_pairs(store)] == ["d/test/net"]
    path = tmp_path / "decisions/d/test/net/pin-5.json"
    before = path.read_bytes()
    with pytest.raises(InputError, match="decisions are never rewritten"):
        record(store, decision("pin", 5, "other"))
    assert path.read_bytes() == before
    path.write_bytes(b"{}")
    with pytest.raises(ShardError, match=r"pin-5\.json is no decision that this nightmark"):
        read_decisions(store, PAIR.name)


def test_without_decisions_there_are_none(tmp_path: Path) -> None:
    assert read_decisions(Store.at(tmp_path), PAIR.name) == ()
    assert list(all_pairs(Store.at(tmp_path))) == []


def test_ids_sort_by_time_and_differ() -> None:
    assert new_id(START).startswith("20261120t020000z-")
    assert new_id(START) != new_id(START)


def test_only_what_stands_is_revoked() -> None:
    first = decision("promote", 1)
    gone = revocation(Decisions([first]), first.id, "Bob", "wrong labels", START)
    assert (gone.revokes, gone.who, gone.pair) == (first.id, "Bob", PAIR)
    with pytest.raises(InputError, match="there is no decision 'x'; there are: promote-1"):
        revocation(Decisions([first]), "x", "Bob", "so", START)
    with pytest.raises(InputError, match="was revoked by Bob"):
        revocation(Decisions([first, gone]), first.id, "Eve", "so", START)
    with pytest.raises(InputError, match="decide anew"):
        revocation(Decisions([first, gone]), gone.id, "Eve", "so", START)


@pytest.mark.parametrize(
    ("kind", "changes", "fault"),
    [
        ("promote", {"evaluation": None}, "names an evaluation"),
        ("pin", {"revokes": "x"}, "belongs to a decision that revokes"),
        ("revoke", {}, "belongs to a decision that revokes"),
        ("override", {"gates": ()}, "names the night and the gates"),
        ("promote", {"expires": START}, "only an override"),
        ("pin", {"why": ""}, "at least 1 character"),
        ("pin", {"who": ""}, "at least 1 character"),
        ("pin", {"time": datetime(2026, 1, 1)}, "timezone"),  # noqa: DTZ001
    ],
)
def test_half_a_decision_is_refused(kind: DecisionKind, changes: dict, fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        decision(kind, 1, **changes)
