"""From a store of nights and decisions to what is left of it."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from shards.errors import ShardError
from shards.store import Store
from tasks.layout import PRUNES
from tasks.leases import held
from tasks.retention.choosing import choose
from tasks.retention.pieces import take_stock
from tasks.retention.removing import RECORD, REMOVED, Prune
from tasks.targets.overlay import TargetOverlay
from tasks.targets.rescoring import rescore
from tests.support.pruned import (
    LATER,
    NEVER,
    Template,
    decide,
    evaluations_left,
    paths,
    prune,
    read_all,
)
from tests.support.stored import (
    outcome_of,
    pair_name,
    store_night,
)


def test_what_was_removed_is_on_record(store: Store, template: Template) -> None:
    store_night(store, 1, outcome_of(template.scored["net", "1"]))
    store_night(store, 2, outcome_of(template.scored["net", "2"]))
    choice = prune(store)
    (name,) = store.names(PRUNES)
    done = Prune.from_json(store.read(f"{PRUNES}/{name}/{RECORD}"), "record")
    assert (done.who, done.rules, done.pieces) == ("Ada", NEVER, len(choice.going))
    assert done.freed == choice.freed > 0
    table = pq.read_table(io.BytesIO(store.read(f"{PRUNES}/{name}/{REMOVED}")))
    assert table.num_rows == done.pieces
    rows = {row["path"]: row for row in table.to_pylist()}
    gone = rows["nights/20261121t020000z-n1"]
    assert (gone["kind"], gone["why"][:19]) == ("night", "no rule keeps it (n")
    assert not Path(store.locate("nights/20261121t020000z-n1")).exists()
    assert store.names("nights") == ["20261122t020000z-n2"]


def test_what_is_young_stays_with_all_that_it_needs(store: Store, template: Template) -> None:
    rules = NEVER.model_copy(update={"unused_days": 30})
    now = datetime.now(UTC)
    assert choose(store, rules, now).is_empty
    (evaluation,) = [
        piece for piece in take_stock(store).of_kind("evaluation") if piece.place.name == "enet2d1"
    ]
    later = now + timedelta(days=31)
    # Evaluated again: only the records are new, the predictions were there.
    stored = template.scored["net", "2"]
    with pytest.MonkeyPatch.context() as patch:
        modified = type(evaluation).modified.fget  # type: ignore[attr-defined]
        young = {stored.evaluation.pair.name.evaluation(stored.evaluation.id)}
        young.add(stored.evaluation.pair.name.scoring(stored.scoring.id))
        patch.setattr(
            type(evaluation),
            "modified",
            property(lambda piece: later if piece.place.path in young else modified(piece)),
        )
        prune(store, rules, later)
    assert evaluations_left(store) == {"enet2d1"}
    read_all(store, stored.evaluation.pair.name, "enet2d1")


def test_nothing_of_a_split_in_use_goes(store: Store, template: Template) -> None:
    store_night(store, 1, outcome_of(template.scored["net", "1"]))
    store_night(store, 2, outcome_of(template.scored["net", "2"]))
    now = datetime.now(UTC) + timedelta(days=1000)
    with held(store, "night", [pair_name("net").split]), pytest.MonkeyPatch.context() as patch:
        patch.setattr("tasks.leases.STALE_SECONDS", 1e9)
        choice = choose(store, NEVER, now)
        assert choice.is_empty
        assert [lease.work for lease in choice.leases] == ["night"]
        whys = {reasoned.why.partition(" (")[0] for reasoned in choice.kept}
        assert "in use: night of made/test" in whys
    with held(store, "night", [pair_name("x", dataset="other").split]):
        assert not choose(store, NEVER, datetime.now(UTC)).is_empty


def test_an_unreadable_record_of_a_night_stops_all(store: Store, template: Template) -> None:
    store_night(store, 1, outcome_of(template.scored["net", "1"]))
    store.publish("nights/20261121t020000z-n1/night.json", b"{}")
    with pytest.raises(ShardError, match=r"nothing is pruned while .*night\.json is no Night"):
        choose(store, NEVER, LATER)


def test_an_unreadable_record_that_nothing_needs_goes(store: Store) -> None:
    store.publish(pair_name("net").evaluation("enet1d1"), b"{}")
    assert pair_name("net").evaluation("enet1d1") in {
        f.path for f in choose(store, NEVER, LATER).files
    }


def test_a_reference_to_what_is_gone_already_is_passed_over(
    store: Store, template: Template
) -> None:
    stored = template.scored["net", "1"]
    store_night(store, 1, outcome_of(stored))
    store.remove(stored.evaluation.pair.name.evaluation(stored.evaluation.id))
    choice = prune(store)
    kept = {reasoned.piece.place.path for reasoned in choice.kept}
    assert stored.evaluation.pair.name.scoring(stored.scoring.id) in kept


def test_files_of_killed_writers_go_after_an_hour(store: Store) -> None:
    hidden = Path(store.locate("predictions")) / ".x.parquet.0123.partial"
    hidden.write_bytes(b"12")
    now = datetime.now(UTC)
    assert choose(store, NEVER, now + timedelta(minutes=59)).partial == ()
    prune(store, NEVER, now + timedelta(minutes=61))
    assert not hidden.exists()


def test_foreign_files_and_decisions_are_never_touched(store: Store, template: Template) -> None:
    decide(store, "pin", 1, template.scored["net", "1"], "net")
    for path in ("notes.txt", "nights/readme", "mine/x/y"):
        store.publish(path, b"")
    decisions = paths(store, "decisions")
    assert prune(store).foreign == 3
    assert {"notes.txt", "nights/readme", "mine/x/y"} | decisions <= paths(store)


def test_targets_that_were_laid_over_stay_with_their_figures(
    store: Store, template: Template
) -> None:
    stored = template.scored["net", "1"]
    overlay = TargetOverlay.of({"00000": [1]}, "corrected", file="fixed.csv")
    other = TargetOverlay.of({"00000": [2]}, "corrected", file="other.csv")
    new = rescore(store, stored, overlay)
    rescore(store, stored, other)
    store_night(store, 1, outcome_of(stored, scoring=new.id))
    prune(store)
    split = pair_name("net").split
    assert paths(store, "targets") == {split.targets(overlay.digest)}
    assert store.names("scorings/made/test/net") == [new.id]


def test_leases_of_killed_processes_go(store: Store) -> None:
    with held(store, "night", [pair_name("x", dataset="other").split]):
        (path,) = paths(store, "leases")
        left = store.read(path)
    store.publish(path, left)
    assert path not in {file.path for file in choose(store, NEVER, datetime.now(UTC)).files}
    prune(store)
    assert paths(store, "leases") == set()
