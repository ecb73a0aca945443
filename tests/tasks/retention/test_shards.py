"""Superseded shards, and what was made of them."""

from shards.manifest import Manifest, ManifestDigests, ShardEntry
from shards.store import Store
from tasks.health.copies import PAIRS_SCHEMA, Copies, FoundCopies, copies_id
from tasks.health.kept import write_copies
from tasks.health.signatures import SIGNATURE_REVISION
from tasks.layout import copies_folder, shard_file, signature_file
from tasks.retention.choosing import Choice, choose
from tests.support.pruned import LATER, NEVER, Template, prune
from tests.support.stored import (
    outcome_of,
    pair_name,
    store_night,
)


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
