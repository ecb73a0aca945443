"""From a store of nights and decisions to what is left of it."""

import io
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shards.errors import ShardError
from shards.manifest import Manifest, ManifestDigests, ShardEntry
from shards.store import Store
from tasks.comparisons import compare_stored, read_comparison, store_comparison
from tasks.gates.against import against_baseline
from tasks.gates.baseline import compared_with
from tasks.gates.decisions import Decision, all_pairs, read_decisions, record
from tasks.health.copies import PAIRS_SCHEMA, Copies, FoundCopies, copies_id
from tasks.health.kept import write_copies
from tasks.health.signatures import SIGNATURE_REVISION
from tasks.layout import NIGHTS, PRUNES, PairName, copies_folder, shard_file, signature_file
from tasks.leases import held
from tasks.report.build import build_report
from tasks.retention.choosing import Choice, choose
from tasks.retention.pieces import take_stock
from tasks.retention.removing import RECORD, REMOVED, Prune, remove
from tasks.retention.rules import Retention
from tasks.stored import (
    StoredScoring,
    find_scored,
    finished_nights,
    prediction_tables,
    read_evaluation,
    read_night,
    score_tables,
)
from tasks.targets.overlay import TargetOverlay
from tasks.targets.rescoring import rescore
from tests.support.stored import (
    EPOCH,
    logits,
    outcome_of,
    pair_name,
    store_evaluation,
    store_night,
)

TARGETS = np.arange(12) % 3
MODELS = ("net", "old")
VERSIONS = ("1", "2", "3")
NEVER = Retention(newest=1, days=0, weeks=0, months=0, unused_days=0)
LATER = EPOCH + timedelta(days=400)
Key = tuple[str, str]


@dataclass(frozen=True)
class Template:
    """A store with an evaluation per model and version, and a comparison of each two of a model."""

    store: Store
    scored: dict[Key, StoredScoring]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    store = Store.at(tmp_path_factory.mktemp("template"))
    scored = {}
    for model in MODELS:
        for version in VERSIONS:
            scores = logits(TARGETS, 3, skill=int(version), seed=int(version))
            scored[model, version] = store_evaluation(
                store, pair_name(model), scores, TARGETS.tolist(), version=version, per_shard=4
            )
    return Template(store, scored)


@pytest.fixture
def store(template: Template, tmp_path: Path) -> Store:
    shutil.copytree(template.store.root, tmp_path / "root")
    return Store.at(tmp_path / "root")


def in_memory(template: Template, name: str) -> Store:
    MemoryFileSystem.store.clear()
    store = Store.at(f"memory://{name}")
    for file in template.store.files():
        store.publish(file.path, template.store.read(file.path))
    return store


def decide(store: Store, kind: str, number: int, stored: StoredScoring, model: str) -> Decision:
    time = EPOCH + timedelta(days=number)
    decision = Decision.model_validate(
        {
            "id": f"{time:%Y%m%dt%H%M%Sz}-{kind}",
            "kind": kind,
            "pair": stored.evaluation.pair.model_copy(update={"model": model}),
            "time": time,
            "who": "Ada",
            "why": "so",
            "evaluation": stored.evaluation.id,
            "scoring": stored.scoring.id,
            "evaluated": stored.evaluation.pair,
        }
    )
    record(store, decision)
    return decision


def revoke(store: Store, decision: Decision) -> None:
    facts = {"pair": decision.pair, "who": "Ada", "why": "so", "kind": "revoke"}
    time = decision.time + timedelta(hours=1)
    name = f"{time:%Y%m%dt%H%M%Sz}-r{decision.kind}"
    record(
        store, Decision.model_validate({**facts, "id": name, "time": time, "revokes": decision.id})
    )


def prune(store: Store, rules: Retention = NEVER, now: datetime = LATER) -> Choice:
    choice = choose(store, rules, now)
    remove(store, choice, rules, "Ada")
    return choice


def paths(store: Store, folder: str = "") -> set[str]:
    return {file.path for file in store.files(folder) if not file.path.startswith(f"{PRUNES}/")}


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


def read_all(store: Store, pair: PairName, evaluation: str) -> None:
    found = read_evaluation(store, pair, evaluation)
    assert sum(table.num_rows for table in prediction_tables(store, found)) == len(TARGETS)
    assert sum(table.num_rows for table in score_tables(store, found)) == len(TARGETS)


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


def evaluations_left(store: Store) -> set[str]:
    return {piece.place.name for piece in take_stock(store).of_kind("evaluation")}


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


def shard_digest(name: str) -> str:
    return (name * 64)[:64]


def add_shards(store: Store, recipe: str, images: str) -> None:
    """A finished build of one shard, with signatures."""
    folder = pair_name("net").split.shards(recipe)
    entry = ShardEntry(url="0.tar", nsamples=1, filesize=3, sha256=shard_digest(images))
    manifest = Manifest(
        name="made-test",
        dataset="made",
        split="test",
        layout="folder",
        class_ids=("a",),
        class_names=("a",),
        class_counts=(1,),
        entries=1,
        samples=1,
        unlabelled=0,
        skipped=(),
        notes=(),
        digests=ManifestDigests(images=images, targets="t", layout="l"),
        shardlist=(entry,),
    )
    store.publish(f"{folder}/0.tar", b"tar")
    store.publish(f"{folder}/manifest.json", manifest.to_json())
    store.publish(signature_file(SIGNATURE_REVISION, entry.sha256), b"signatures")
    copies = Copies(
        id=copies_id(images, images),
        images_digest=images,
        other_digest=images,
        n=1,
        other_n=1,
        unreadable=0,
        other_unreadable=0,
        exact=0,
        near=0,
        pairs=0,
    )
    write_copies(store, FoundCopies(copies, PAIRS_SCHEMA.empty_table()))


def test_superseded_shards_go_with_their_signatures_and_copies(
    store: Store, template: Template
) -> None:
    for recipe in ("first", "recipe", "third"):
        add_shards(store, recipe, images=recipe[0])
    split = pair_name("net").split
    # Those of the kept night's evaluation, and the newest.
    store_night(store, 1, outcome_of(template.scored["net", "1"]))
    store.publish(f"{split.shards('unfinished')}/parts/000000.parquet", b"")
    prune(store)
    assert store.names("shards/made/test") == ["recipe", "third"]
    assert store.names("signatures/s1") == [shard_file(shard_digest(name)) for name in ("r", "t")]
    wanted = sorted(copies_id(name, name) for name in ("r", "t"))
    assert store.names(copies_folder()) == wanted


def test_a_hard_link_gives_its_bytes_back_with_its_last_name(store: Store) -> None:
    add_shards(store, "first", images="f")
    add_shards(store, "second", images="s")
    split = pair_name("net").split
    store.link(f"{split.shards('first')}/0.tar", f"{split.shards('second')}/0.tar")
    going = [r for r in choose(store, NEVER, LATER).going if r.piece.place.kind == "shards"]
    (first,) = going
    assert first.piece.place.name == "first"
    choice = Choice((), (first,), (), (), 0)
    assert choice.freed == first.piece.size - len(b"tar")


def test_leases_of_killed_processes_go(store: Store) -> None:
    with held(store, "night", [pair_name("x", dataset="other").split]):
        (path,) = paths(store, "leases")
        left = store.read(path)
    store.publish(path, left)
    assert path not in {file.path for file in choose(store, NEVER, datetime.now(UTC)).files}
    prune(store)
    assert paths(store, "leases") == set()


@pytest.fixture(autouse=True)
def clean_memory() -> Iterator[None]:
    yield
    MemoryFileSystem.store.clear()
