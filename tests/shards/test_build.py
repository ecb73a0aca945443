import itertools
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shards.build import build_shard, finish
from shards.errors import ShardError
from shards.image import read_header
from shards.manifest import MANIFEST_NAME, SAMPLES_NAME, Manifest
from shards.order import in_order
from shards.parts import PARTS, STALE_SECONDS, missing_shards, sweep
from shards.reader import ShardedSplit
from shards.recipe import recipe_for
from shards.reuse import RANGES_NAME
from shards.sample import Sample, Skipped
from shards.sources.opening import open_source
from shards.sources.source import Source, SourceSpec
from shards.store import Store
from tests.shards import made
from tests.shards.listed import ListSource, files, made_source
from tests.shards.made import FOLDER, First, build, made_sample
from tests.support.shared_data import SHARED, needs_shared


def test_only_tars_samples_and_manifest_are_left(store: Store) -> None:
    build(made_source(), store)
    tars = [f"made-test-{shard:06d}.tar" for shard in range(4)]
    assert sorted(files(store)) == [*tars, MANIFEST_NAME, RANGES_NAME, SAMPLES_NAME]
    assert store.names(FOLDER) == sorted(files(store))


def test_any_order_gives_the_same_bytes(store: Store) -> None:
    build(made_source(), store, "first")
    for order in itertools.permutations(range(4)):
        folder = "order-" + "".join(map(str, order))
        build(made_source(), store, folder, order=order)
        assert files(store, folder) == files(store, "first")


def test_a_resumed_build_gives_the_same_bytes(store: Store) -> None:
    build(made_source(), store, "first")
    recipe = recipe_for(made_source(), "made", "test", 3)
    for done in (3, 1):
        build_shard(made_source(), store, FOLDER, recipe, done)
    assert missing_shards(store, FOLDER, recipe) == [0, 2]
    for shard in missing_shards(store, FOLDER, recipe):
        build_shard(made_source(), store, FOLDER, recipe, shard)
    assert missing_shards(store, FOLDER, recipe) == []
    finish(made_source(), store, FOLDER, recipe)
    assert files(store) == files(store, "first")
    assert missing_shards(store, FOLDER, recipe) == []


def test_a_shard_built_twice_is_the_same(store: Store) -> None:
    recipe = recipe_for(made_source(), "made", "test", 3)
    build_shard(made_source(), store, FOLDER, recipe, 0)
    before = files(store)
    build_shard(made_source(), store, FOLDER, recipe, 0)
    assert files(store) == before


def test_memory_builds_what_a_disk_builds(store: Store) -> None:
    build(made_source(), store)
    memory = Store.at("memory://test_build")
    build(made_source(), memory)
    names = memory.names(FOLDER)
    assert {name: memory.read(f"{FOLDER}/{name}") for name in names} == files(store)
    assert memory.names(f"{FOLDER}/{PARTS}") == []


@pytest.mark.parametrize("samples_per_shard", [1, 4, 11, 100])
def test_sharding_moves_the_layout_only(store: Store, samples_per_shard: int) -> None:
    usual = build(made_source(), store, "usual").digests
    other = build(made_source(), store, samples_per_shard=samples_per_shard).digests
    assert (other.images, other.targets) == (usual.images, usual.targets)
    assert other.layout != usual.layout


def test_a_corrected_label_moves_the_targets_and_their_layout(store: Store) -> None:
    source = made_source()
    corrected = list(source.entries)
    assert isinstance(corrected[0], Sample)
    corrected[0] = replace(corrected[0], label=1)
    before = build(source, store, "before")
    after = build(ListSource(corrected), store, "after")
    assert after.digests.images == before.digests.images
    assert after.digests.targets != before.digests.targets
    # The label lies in the tar as .cls, so exactly the shard that holds it is another.
    pairs = zip(before.shardlist, after.shardlist, strict=True)
    assert [old == new for old, new in pairs] == [False, True, True, True]


def test_nothing_but_skipped_entries_is_refused_before_anything_is_published(store: Store) -> None:
    source = ListSource([Skipped(f"{i}.png", "zero bytes") for i in range(4)])
    for _ in range(2):  # the parts that are left do not make a second build pass
        with pytest.raises(
            ShardError, match="made test: none of 4 entries is a sample; the first: zero bytes"
        ):
            build(source, store)
        assert all(name.startswith(f"{PARTS}/") for name in files(store))


def test_an_empty_source_is_refused_before_anything_is_published(store: Store) -> None:
    with pytest.raises(ShardError, match="none of 0 entries is a sample; the source is empty"):
        build(ListSource([]), store)
    assert not Path(store.locate(FOLDER)).exists()


def test_a_range_of_skipped_entries_makes_no_shard(store: Store) -> None:
    entries = [made_sample(0), Skipped("a", "x"), Skipped("b", "x"), made_sample(1, camera="front")]
    manifest = build(ListSource(entries), store, samples_per_shard=1)
    assert [shard.url for shard in manifest.shardlist] == [
        "made-test-000000.tar",
        "made-test-000003.tar",
    ]
    split = ShardedSplit.open(store, FOLDER)
    read = [sample.key for shard in split.shards() for sample in shard.read()]
    assert read == ["made_000", "made_001"]
    assert split.samples["camera"].to_pylist() == [None, "front"]


def test_recipes_differ_where_what_is_built_differs() -> None:
    source = made_source()
    recipes = [
        recipe_for(source, "made", "test", 3),
        recipe_for(source, "made", "test", 4),
        recipe_for(source, "made", "val", 3),
        recipe_for(source, "other", "test", 3),
        recipe_for(replace(source, identity="changed"), "made", "test", 3),
    ]
    assert len({recipe.name for recipe in recipes}) == 5
    assert recipe_for(made_source(), "made", "test", 3).name == recipes[0].name


def test_ranges_cover_every_entry_once() -> None:
    for count, per_shard in itertools.product(range(8), range(1, 9)):
        recipe = recipe_for(ListSource([Skipped("x", "y")] * count), "d", "s", per_shard)
        ranges = [recipe.entry_range(shard) for shard in range(recipe.shard_count)]
        covered = [entry for start, stop in ranges for entry in range(start, stop)]
        assert covered == list(range(count))
        assert all(0 < stop - start <= per_shard for start, stop in ranges)


@needs_shared
def test_real_images_in_any_order(store: Store) -> None:
    spec = SourceSpec(source="cifar10", location=SHARED / "data/cifar10")
    source = First(open_source(spec, "test"), 250)
    first: Any = build(source, store, "first", samples_per_shard=60)
    order = (3, 0, 4, 2, 1)
    again: Manifest = build(source, store, "again", samples_per_shard=60, order=order)
    assert files(store, "again") == files(store, "first")
    assert again.dataset_version == first.dataset_version
    assert sum(again.class_counts) == 250
    read = [s for shard in ShardedSplit.open(store, "again").shards() for s in shard.read()]
    samples = [sample for sample in source.read(0, 250) if isinstance(sample, Sample)]
    assert [(s.key, s.image, s.target) for s in read] == [
        (s.key, s.image, s.label) for s in samples
    ]


def in_decode(source: Source, store: Store, folder: str = FOLDER) -> Manifest:
    recipe = recipe_for(source, "made", "test", 3, "decode")
    for shard in range(recipe.shard_count):
        build_shard(source, store, folder, recipe, shard)
    return finish(source, store, folder, recipe)


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_decoding_finds_what_the_header_hides(store: Store, form: str) -> None:
    image = made.encoded(form, size=(64, 64))[:-900]
    cut = replace(made_sample(1), image=image, header=read_header(image))
    source = ListSource([made_sample(0), cut, made_sample(2)])
    assert build(source, store, "header").samples == 3
    manifest = in_decode(source, store)
    assert (manifest.samples, manifest.entries) == (2, 3)
    (skipped,) = manifest.skipped
    assert skipped.source_name == "1.png"
    assert skipped.reason.startswith("does not decode: ")
    assert "0x" not in skipped.reason


def test_what_decodes_is_stored_as_it_was(store: Store) -> None:
    decoded, usual = in_decode(made_source(), store), build(made_source(), store, "usual")
    assert decoded == usual


def test_checks_and_orders_are_part_of_the_recipe() -> None:
    source = made_source()
    recipes = {
        recipe_for(source, "made", "test", 3).name,
        recipe_for(source, "made", "test", 3, "decode").name,
        recipe_for(in_order(source, "stratified", 0), "made", "test", 3).name,
        recipe_for(in_order(source, "stratified", 1), "made", "test", 3).name,
    }
    assert len(recipes) == 4


def test_finishing_sweeps_only_what_nobody_writes_any_more(store: Store) -> None:
    stale = Path(store.locate(f"{FOLDER}/.made-test-000001.tar.0123abcd.partial"))
    fresh = stale.with_name(".made-test-000002.tar.0123abcd.partial")
    stale.parent.mkdir(parents=True)
    for path in (stale, fresh):
        path.write_bytes(b"half")
    long_ago = time.time() - STALE_SECONDS - 60
    os.utime(stale, (long_ago, long_ago))
    recipe = recipe_for(made_source(), "made", "test", 3)
    build_shard(made_source(), store, FOLDER, recipe, 0)
    assert stale.exists()  # not before all is built
    build(made_source(), store)
    assert not stale.exists()
    assert fresh.exists()


def test_a_second_builder_that_finishes_later_changes_nothing(store: Store) -> None:
    first = build(made_source(), store)
    before = files(store)
    recipe = recipe_for(made_source(), "made", "test", 3)
    build_shard(made_source(), store, FOLDER, recipe, 2)  # it had missed that all was done
    assert finish(made_source(), store, FOLDER, recipe) == first
    sweep(store, FOLDER)
    assert files(store) == before
