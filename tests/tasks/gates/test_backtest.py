from pathlib import Path

import numpy as np
import pytest

from shards.store import Store
from tasks.comparisons import compare_stored, store_comparison
from tasks.gates.backtest import Replayed, Unreadable, backtest
from tasks.gates.baseline import compared_with, unchanged
from tasks.gates.gate import Gate
from tasks.gates.judging import judge
from tasks.stored import StoredScoring
from tests.support.stored import logits, outcome_of, pair_name, store_evaluation, store_night

TARGETS = np.arange(300) % 3
PAIR = pair_name("net")
FLOOR = Gate(metric="top1", min=0.8)
NO_DROP = Gate(metric="top1", max_drop=0.05)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.at(tmp_path)


def evaluated(store: Store, version: str, skill: float) -> StoredScoring:
    scores = logits(TARGETS, 3, skill=skill, seed=int(version))
    return store_evaluation(store, PAIR, scores, TARGETS.tolist(), version=version)


def three_nights(store: Store) -> tuple[str, str, str]:
    """A good model, the same again, and a bad one that is compared with it."""
    good, bad = evaluated(store, "1", 4), evaluated(store, "2", 1)
    then = (judge(FLOOR, good.scoring),)
    first = store_night(store, 1, outcome_of(good, verdicts=then))
    same = unchanged(good.evaluation.pair, good.evaluation.id, "d").note
    second = store_night(store, 2, outcome_of(good, comparison=same))
    comparison, changed = compare_stored(store, good, bad)
    store_comparison(store, comparison, changed)
    note = compared_with(comparison, "d").note
    third = store_night(store, 3, outcome_of(bad, comparison=note, state="failed"))
    return first.name, second.name, third.name


def test_every_gate_is_replayed_over_every_night(store: Store) -> None:
    nights = three_nights(store)
    store_night(store, 4, outcome_of(evaluated(store, "3", 1)), quick=1)
    found = list(backtest(store, {PAIR: (FLOOR, NO_DROP)}))
    assert all(isinstance(entry, Replayed) for entry in found)
    assert [
        (entry.night, entry.verdict.state, entry.then)
        for entry in found
        if isinstance(entry, Replayed)
    ] == [
        (nights[0], "passed", "passed"),
        (nights[0], "not_applicable", None),
        (nights[1], "passed", None),
        (nights[1], "passed", None),
        (nights[2], "failed", None),
        (nights[2], "failed", None),
    ]


def test_a_gate_is_the_same_whomever_it_is_for(store: Store) -> None:
    three_nights(store)
    gate = FLOOR.model_copy(update={"datasets": ("made",)})
    first = next(iter(backtest(store, {PAIR: (gate,)})))
    assert isinstance(first, Replayed)
    assert first.then == "passed"
    stricter = FLOOR.model_copy(update={"policy": "point"})
    first = next(iter(backtest(store, {PAIR: (stricter,)})))
    assert isinstance(first, Replayed)
    assert first.then is None


def test_what_is_missing_is_listed_with_its_night(store: Store, tmp_path: Path) -> None:
    nights = three_nights(store)
    (tmp_path / f"nights/{nights[0]}/night.json").write_bytes(b"{}")
    for path in tmp_path.glob("comparisons/**/comparison.json"):
        path.unlink()
    scoring = evaluated(store, "1", 4).scoring
    (tmp_path / PAIR.scoring(scoring.id) / "metrics.json").unlink()
    unfinished = store_night(
        store, 4, outcome_of(evaluated(store, "3", 2), scoring=None, state="incomplete")
    )
    found = list(backtest(store, {PAIR: (FLOOR, NO_DROP)}))
    assert all(isinstance(entry, Unreadable) for entry in found)
    told = {entry.night: entry.why for entry in found if isinstance(entry, Unreadable)}
    assert set(told) == {*nights, unfinished.name}
    assert "is no Night" in told[nights[0]]
    assert "metrics.json is missing" in told[nights[1]]
    assert "comparison.json is missing" in told[nights[2]]
    assert told[unfinished.name].startswith("it was incomplete")


def test_other_classes_then_are_told(store: Store) -> None:
    three_nights(store)
    gate = Gate(metric="recall", classes=("otter",), min=0.5)
    found = list(backtest(store, {PAIR: (gate,)}))
    assert all(
        isinstance(entry, Unreadable) and "'otter' is no class" in entry.why for entry in found
    )


def test_other_pairs_are_not_looked_at(store: Store) -> None:
    three_nights(store)
    assert list(backtest(store, {pair_name("other"): (FLOOR,)})) == []
