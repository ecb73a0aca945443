import numpy as np

from shards.store import Store
from tasks.model_history import since_last_evaluation
from tests.support.stored import (
    logits,
    outcome_of,
    pair_name,
    store_evaluation,
    store_night,
)

TARGETS = [0, 1, 2] * 4
PAIR = pair_name("m")


def stored(store: Store, version: str) -> object:
    scores = logits(np.array(TARGETS), 3, 2.0, seed=int(version))
    return store_evaluation(store, PAIR, scores, TARGETS, version=version)


def test_the_newest_night_of_the_pair_counts(root: object) -> None:
    store = Store.at(str(root))
    assert since_last_evaluation(store, PAIR, "fingerprint-1") == ("never evaluated", "")
    first = store_night(store, 1, outcome_of(stored(store, "1")))  # type: ignore[arg-type]
    second = store_night(store, 2, outcome_of(stored(store, "2")))  # type: ignore[arg-type]
    assert since_last_evaluation(store, PAIR, "fingerprint-2") == (
        "unchanged",
        f"night {second.name}",
    )
    # It was evaluated once, but is not what ran last.
    assert since_last_evaluation(store, PAIR, "fingerprint-1") == (
        "changed",
        f"night {second.name}",
    )
    store_night(store, 3, outcome_of(stored(store, "1")), quick=1)  # type: ignore[arg-type]
    assert since_last_evaluation(store, PAIR, "fingerprint-1")[0] == "changed"
    other = pair_name("other")
    assert since_last_evaluation(store, other, "fingerprint-1")[0] == "never evaluated"
    assert first.name < second.name


def test_evaluations_outside_of_nights(root: object) -> None:
    store = Store.at(str(root))
    stored(store, "1")
    stored(store, "2")
    for version in ("1", "2"):
        state, where = since_last_evaluation(store, PAIR, f"fingerprint-{version}")
        assert (state, where.startswith("evaluation em")) == ("unchanged", True)
    assert since_last_evaluation(store, PAIR, "fingerprint-3")[0] == "changed"
