"""``nightmark prune`` and the flow of the same name."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from flows.prune import prune
from flows.returned import taken
from shards.store import Store
from tasks.stored import StoredScoring
from tests.support.stored import logits, outcome_of, pair_name, store_evaluation, store_night

Command = Callable[..., int]
Printed = pytest.CaptureFixture[str]
PLAN = Path(__file__).parents[1] / "plans" / "small.yaml"
TARGETS = np.arange(12) % 3
FEW = ("--newest", 1, "--days", 0, "--weeks", 0, "--months", 0, "--unused-days", 0)


def evaluated(store: Store, version: str) -> StoredScoring:
    scores = logits(TARGETS, 3, skill=2, seed=int(version))
    return store_evaluation(store, pair_name("net"), scores, TARGETS.tolist(), version=version)


@pytest.fixture
def store(root: Path) -> Store:
    """Two nights, each of its own evaluation."""
    store = Store.at(root)
    for number in (1, 2):
        store_night(store, number, outcome_of(evaluated(store, str(number))))
    return store


def left(store: Store) -> set[str]:
    return {file.path for file in store.files()}


def test_it_is_told_before_it_is_done(store: Store, nightmark: Command, capsys: Printed) -> None:
    before = left(store)
    assert nightmark("prune", *FEW) == 0
    said = capsys.readouterr().out
    assert "nights: the newest 1, 0 days, one a week for 0 weeks" in said
    assert "night 20261122t020000z-n2 stays: one of the newest" in said
    assert "4 more: night 20261122t020000z-n2" in said
    assert "Would remove 5 files and folders" in said
    assert "Nothing was removed yet: add --delete." in said
    assert left(store) == before


def test_it_is_done_and_the_page_of_all_nights_written_again(
    store: Store, nightmark: Command, capsys: Printed
) -> None:
    assert nightmark("prune", *FEW, "--delete", "--list") == 0
    said = capsys.readouterr().out
    assert "goes: nights/20261121t020000z-n1: no rule keeps it" in said
    assert "goes: evaluations/made/test/net/enet1d1.json: no kept night and no baseline" in said
    assert "Removed 5 files and folders, which gives " in said
    assert store.names("evaluations/made/test/net") == ["enet2d1.json"]
    assert nightmark("nights") == 0
    assert "20261121" not in capsys.readouterr().out
    assert "20261121" not in store.read("nights/index.html").decode()
    assert nightmark("prune", *FEW, "--delete") == 0
    said = capsys.readouterr().out
    assert "There is nothing to remove." in said
    assert "did not write" not in said
    assert len(store.names("prunes")) == 1


def test_a_plan_says_what_is_kept(store: Store, nightmark: Command, capsys: Printed) -> None:
    assert nightmark("prune", PLAN, "--days", "0") == 0
    assert "nights: the newest 7, 0 days, one a week for 8 weeks" in capsys.readouterr().out


def test_a_record_that_cannot_be_read(store: Store, nightmark: Command, capsys: Printed) -> None:
    store.publish("nights/20261121t020000z-n1/night.json", b"{}")
    assert nightmark("prune", *FEW, "--delete") == 3
    assert "nothing is pruned while it is unknown what is needed: " in capsys.readouterr().err
    assert len(store.names("evaluations/made/test/net")) == 2


def test_the_flow_does_the_same(store: Store) -> None:
    rules = [f"retention.{key}=0" for key in ("days", "weeks", "months", "unused_days")]
    few = [*rules, "retention.newest=1"]
    state = prune(PLAN, few, return_state=True)
    told = taken(state, int)
    assert told > 0
    assert "Would remove 5 files and folders" in str(state.message)
    assert "Next: run it with `delete`" in str(state.message)
    assert len(store.names("nights")) == 2
    done = prune(PLAN, few, delete=True, return_state=True)
    assert taken(done, int) == told
    assert "Removed 5 files and folders" in str(done.message)
    assert "20261121t020000z-n1" not in store.names("nights")


def test_a_prune_that_could_not_be_done_says_the_next_step(store: Store, tmp_path: Path) -> None:
    store.publish("nights/20261121t020000z-n1/night.json", b"{}")
    state = prune(PLAN, delete=True, return_state=True)
    assert (state.name, state.is_failed()) == ("Incomplete", True)
    assert "nothing is pruned while it is unknown what is needed" in str(state.message)
    assert "Next: " in str(state.message)
    assert prune(tmp_path / "none.yaml", return_state=True).name == "Unusable"
