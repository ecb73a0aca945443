"""Whatever nights and decisions there were: what is kept is whole, also when a prune is killed."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shards.store import Store
from tasks.comparisons import compare_stored, read_comparison, store_comparison
from tasks.gates.against import against_baseline
from tasks.gates.baseline import compared_with
from tasks.gates.decisions import Decision, all_pairs, read_decisions, record
from tasks.layout import NIGHTS
from tasks.report.build import build_report
from tasks.retention.choosing import choose
from tasks.retention.pieces import take_stock
from tasks.retention.rules import Retention
from tasks.stored import (
    StoredScoring,
    find_scored,
    finished_nights,
    read_night,
)
from tests.support.pruned import (
    LATER,
    MODELS,
    TARGETS,
    VERSIONS,
    Key,
    Template,
    decide,
    evaluations_left,
    paths,
    prune,
    read_all,
)
from tests.support.stored import (
    logits,
    outcome_of,
    store_evaluation,
    store_night,
)


def in_memory(template: Template, name: str) -> Store:
    MemoryFileSystem.store.clear()
    store = Store.at(f"memory://{name}")
    for file in template.store.files():
        store.publish(file.path, template.store.read(file.path))
    return store


def revoke(store: Store, decision: Decision) -> None:
    facts = {"pair": decision.pair, "who": "Ada", "why": "so", "kind": "revoke"}
    time = decision.time + timedelta(hours=1)
    name = f"{time:%Y%m%dt%H%M%Sz}-r{decision.kind}"
    record(
        store, Decision.model_validate({**facts, "id": name, "time": time, "revokes": decision.id})
    )


def check_whole(store: Store, scored: dict[Key, StoredScoring]) -> None:
    """Every night that is left can be opened, and every baseline compared with."""
    for name in finished_nights(store):
        night, scorings = read_night(store, name)
        build_report(night, scorings, {})
        for outcome in night.outcomes:
            if outcome.evaluation is not None:
                read_all(store, outcome.pair.name, outcome.evaluation)
            if outcome.comparison is not None and outcome.comparison.comparison is not None:
                read_comparison(store, outcome.pair.name, outcome.comparison.comparison)
                read_all(store, outcome.comparison.baseline.name, outcome.comparison.evaluation)
    for pair in all_pairs(store):
        baseline = read_decisions(store, pair).baseline()
        if baseline is None:
            continue
        other = next(key for key in scored if scored[key].evaluation.id != baseline.evaluation)
        candidate = scored[other].evaluation
        fresh = store_evaluation(
            store,
            pair,
            logits(TARGETS, 3, skill=1, seed=9),
            TARGETS.tolist(),
            version="9",
            per_shard=4,
        )
        found = against_baseline(store, fresh)
        assert found is not None, candidate
        assert found.note.state == "compared", found.note.sentence


KEYS = st.tuples(st.sampled_from(MODELS), st.sampled_from(VERSIONS))


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, Key, Key | None, bool]]:
    """Days, on each a night of a pair (against another version, perhaps) or a decision."""
    day = st.tuples(
        st.sampled_from(["night", "quick", "promote", "pin"]),
        KEYS,
        st.none() | KEYS,
        st.booleans(),
    )
    return draw(st.lists(day, max_size=8))


def live_through(
    store: Store, template: Template, history: Sequence[tuple[str, Key, Key | None, bool]]
) -> None:
    for number, (what, key, other, flag) in enumerate(history):
        stored = template.scored[key]
        if what in ("night", "quick"):
            note = None
            if other is not None and other != key and other[0] == key[0]:
                comparison, changed = compare_stored(store, template.scored[other], stored)
                store_comparison(store, comparison, changed)
                note = compared_with(comparison, "d").note
            quick = 1 if what == "quick" else None
            store_night(store, number, outcome_of(stored, comparison=note), quick=quick)
        else:
            decision = decide(store, what, number, stored, (other or key)[0])
            if flag:
                revoke(store, decision)


RULES = st.builds(
    Retention,
    newest=st.integers(1, 3),
    days=st.integers(395, 402),
    weeks=st.integers(0, 2),
    months=st.integers(0, 2),
    unused_days=st.just(0),
)


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(history=histories(), rules=RULES)
def test_what_is_kept_is_whole_and_nothing_else_is_left(
    template: Template,
    history: list[tuple[str, Key, Key | None, bool]],
    rules: Retention,
) -> None:
    store = in_memory(template, "random")
    live_through(store, template, history)
    nights, before = finished_nights(store), paths(store)
    decisions = paths(store, "decisions")
    choice = prune(store, rules)
    after = paths(store)
    assert after == before - {file.path for file in choice.files}
    assert paths(store, "decisions") == decisions
    assert choose(store, rules, LATER).is_empty
    assert set(finished_nights(store)) <= set(nights)
    assert len(finished_nights(store)) >= min(1, len(nights))
    assert evaluations_left(store) == referred_to(store)
    check_whole(store, template.scored)


def referred_to(store: Store) -> set[str]:
    """The evaluations that nights and decisions name, found another way: as text."""
    everything = {f"e{model}{version}d1" for model in MODELS for version in VERSIONS}
    nights = "".join(
        store.read(f"{NIGHTS}/{name}/night.json").decode() for name in finished_nights(store)
    )
    standing: set[str] = set()
    for pair in all_pairs(store):
        decisions = read_decisions(store, pair)
        pins, promotions = decisions.standing("pin"), decisions.standing("promote")
        order = [d.evaluation or "" for d in (*pins[::-1], *promotions[::-1])]
        standing |= set(list(dict.fromkeys(order))[:2])
    return {name for name in everything if name in nights} | standing


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(history=histories(), survived=st.integers(0, 60))
def test_a_prune_that_is_killed_leaves_nothing_half_and_a_second_one_ends_it(
    template: Template, history: list[tuple[str, Key, Key | None, bool]], survived: int
) -> None:
    store = in_memory(template, "whole")
    live_through(store, template, history)
    prune(store)
    expected = paths(store)
    store = in_memory(template, "killed")
    live_through(store, template, history)
    with pytest.MonkeyPatch.context() as patch:
        left = iter(range(survived))
        real = Store.remove

        def remove_or_die(self: Store, path: str) -> None:
            if next(left, None) is None:
                raise KeyboardInterrupt
            real(self, path)

        patch.setattr(Store, "remove", remove_or_die)
        try:
            prune(store)
        except KeyboardInterrupt:
            check_records(store)
    prune(store)
    assert paths(store) == expected


def check_records(store: Store) -> None:
    """Whatever says that it is whole is whole."""
    for name in finished_nights(store):
        night, _ = read_night(store, name)
        for outcome in night.outcomes:
            if outcome.evaluation is not None:
                read_all(store, outcome.pair.name, outcome.evaluation)
            if outcome.comparison is not None and outcome.comparison.comparison is not None:
                read_comparison(store, outcome.pair.name, outcome.comparison.comparison)
    for piece in take_stock(store).of_kind("evaluation"):
        read_all(store, piece.place.pair, piece.place.name)
        reference = f"{piece.place.pair}@{piece.place.name}"
        assert find_scored(store, reference).evaluation.id == piece.place.name
