from datetime import timedelta

import numpy as np

from shards.store import Store
from tasks.layout import PairName, SplitName
from tasks.night import Night
from tasks.stored import StoredScoring
from tasks.updates.forecast import Forecast, last_times, not_since, reasons
from tasks.updates.update import update_of
from tests.support.stored import logits, outcome_of, pair_name, store_evaluation, store_night

TARGETS = [0, 1, 2] * 4
PAIR, OTHER = pair_name("m"), pair_name("other")


def stored(store: Store, version: str, dataset_version: str = "d1") -> StoredScoring:
    scores = logits(np.array(TARGETS), 3, 2.0, seed=int(version))
    return store_evaluation(
        store, PAIR, scores, TARGETS, version=version, dataset_version=dataset_version
    )


def test_the_newest_full_night_counts(root: object) -> None:
    store = Store.at(str(root))
    assert last_times(store, [PAIR, OTHER]) == {}
    store_night(store, 1, outcome_of(stored(store, "1")))
    second = store_night(store, 2, outcome_of(stored(store, "2")))
    store_night(store, 3, outcome_of(stored(store, "1")), quick=1)
    last = last_times(store, [PAIR, OTHER])
    assert list(last) == [PAIR]
    assert last[PAIR].night.name == second.name
    assert not_since([PAIR, OTHER], last, second.started) == (OTHER,)
    later = second.started + timedelta(seconds=1)
    assert not_since([PAIR, OTHER], last, later) == (PAIR, OTHER)


def test_a_trial_with_other_overrides_does_not_count(root: object) -> None:
    store = Store.at(str(root))
    trial = ("models.0.weights=other.pt", "runtime.batch_size=8")
    first = store_night(store, 1, outcome_of(stored(store, "1")), overrides=("gates=[]",))
    second = store_night(store, 2, outcome_of(stored(store, "2")), overrides=trial)
    store_night(store, 3, outcome_of(stored(store, "2")), overrides=("datasets.0.name=x",))
    (last,) = last_times(store, [PAIR]).values()
    assert last.night.name == first.name
    (last,) = last_times(store, [PAIR], ["runtime.devices=[cpu]", trial[0]]).values()
    assert last.night.name == second.name
    assert last_times(store, [PAIR], ["models=[]"]) == {}


def test_the_signature_of_a_trial_is_neither_kept_nor_compared(root: object) -> None:
    store = Store.at(str(root))
    shown, signed = (f"models.0.weights=https://host/a.pt{sig}" for sig in ("", "?sig=secret"))
    night = store_night(store, 1, outcome_of(stored(store, "1")), overrides=(signed,))
    assert Night.model_validate(night.model_dump()).overrides == (shown,)
    (last,) = last_times(store, [PAIR], [signed]).values()
    assert last.night.name == night.name


def test_what_changed_is_said(root: object) -> None:
    store = Store.at(str(root))
    night = store_night(store, 1, outcome_of(stored(store, "1")))
    last = last_times(store, [PAIR])[PAIR]
    same = (last.outcome.fingerprint, last.outcome.dataset_version)
    assert reasons(None, *same) == ("no night has evaluated this pair",)
    assert reasons(last, *same) == (f"neither model nor dataset changed since night {night.name}",)
    assert len(reasons(last, "b" * 64, "c" * 64)) == 2
    assert "the model changed since" in reasons(last, "b" * 64, same[1])[0]
    assert "the dataset changed since" in reasons(last, same[0], "c" * 64)[0]
    assert "are not those of night" in reasons(last, same[0], None)[0]


def test_the_lines_of_a_forecast() -> None:
    built = Forecast(PAIR, ("why",), built=1, taken_over=3, computed=2, reused=2, images=None)
    assert built.lines == (
        "made/test/m: 2 shards computed, 2 reused",
        "first 1 shard built from the source, 3 taken over from an earlier build",
        "why",
    )
    there = Forecast(PAIR, (), built=0, taken_over=0, computed=1, reused=3, images=5)
    assert there.lines == ("made/test/m: 1 shard computed (5 images), 3 reused",)


def test_an_update_of_a_model_that_one_night_evaluated_on_several_datasets(root: object) -> None:
    store = Store.at(str(root))
    store_night(store, 1, outcome_of(stored(store, "1")))
    first = last_times(store, [PAIR])[PAIR]
    elsewhere = PairName(SplitName("elsewhere", "test"), "m")
    last = {PAIR: first, elsewhere: first}
    update = update_of("m", "new", [PAIR, elsewhere], last)
    assert update is not None
    assert (update.before, update.datasets) == ("fingerprint-1", ("made", "elsewhere"))


def test_an_update_is_a_pair_with_another_fingerprint(root: object) -> None:
    store = Store.at(str(root))
    store_night(store, 1, outcome_of(stored(store, "1")))
    last = last_times(store, [PAIR, OTHER])
    assert update_of("m", last[PAIR].outcome.fingerprint, [PAIR], last) is None
    assert update_of("other", "new", [OTHER], last) is None, "what never ran is no update"
    update = update_of("m", "new", [PAIR], last)
    assert update is not None
    assert (update.before, update.after, update.datasets) == ("fingerprint-1", "new", ("made",))
    assert update.resource == "nightmark.model.m"
