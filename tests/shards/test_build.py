import errno
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest

from shards.build import PARTS, build_shard, finish, missing_shards, recipe_for
from shards.errors import ShardError, StoreError
from shards.manifest import MANIFEST_NAME, SAMPLES_NAME, Manifest
from shards.reader import ShardedSplit
from shards.sample import Sample, Skipped
from shards.sources.cifar import CifarSource
from shards.store import Store
from tests.shards.made import FOLDER, First, ListSource, build, made_sample, made_source
from tests.support.shared_data import SHARED, needs_shared


def files(store: Store, folder: str = FOLDER) -> dict[str, bytes]:
    """Every file below ``folder``, hidden ones too."""
    root = Path(store.locate(folder))
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


def test_only_tars_samples_and_manifest_are_left(store: Store) -> None:
    build(made_source(), store)
    tars = [f"made-test-{shard:06d}.tar" for shard in range(4)]
    assert sorted(files(store)) == [*tars, MANIFEST_NAME, SAMPLES_NAME]
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


def test_finish_needs_every_part(store: Store) -> None:
    recipe = recipe_for(made_source(), "made", "test", 3)
    build_shard(made_source(), store, FOLDER, recipe, 0)
    with pytest.raises(ShardError, match=r"parts/000001\.parquet is missing; run the build again"):
        finish(made_source(), store, FOLDER, recipe)
    assert not store.exists(f"{FOLDER}/{MANIFEST_NAME}")


class LosesEntries(ListSource):
    def read(self, start: int, stop: int) -> Iterator[Sample | Skipped]:
        return super().read(start, stop - 1)


def test_lost_entries_are_noticed(store: Store) -> None:
    with pytest.raises(ShardError, match=r"made test: .*11 entries are not"):
        build(LosesEntries(made_source().entries), store)
    assert not store.exists(f"{FOLDER}/{MANIFEST_NAME}")


@pytest.mark.parametrize("failing", ["tar", "parquet", "json"])
def test_a_full_disk_publishes_nothing_by_halves(
    store: Store, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    build(made_source(), store, "whole")
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if f".{failing}." in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with pytest.raises(StoreError, match="No space left"):
            build(made_source(), store)
    half = files(store)
    assert MANIFEST_NAME not in half
    assert not [name for name in half if name.endswith(".partial")]
    whole = files(store, "whole")
    assert all(half[name] == whole[name] for name in half if not name.startswith(PARTS))

    recipe = recipe_for(made_source(), "made", "test", 3)
    for shard in missing_shards(store, FOLDER, recipe):
        build_shard(made_source(), store, FOLDER, recipe, shard)
    finish(made_source(), store, FOLDER, recipe)
    assert files(store) == whole


def test_a_source_that_fails_publishes_no_shard(store: Store) -> None:
    class Failing(ListSource):
        def read(self, start: int, stop: int) -> Iterator[Sample | Skipped]:
            yield from self.entries[start : stop - 1]
            no_more()

    def no_more() -> NoReturn:
        raise OSError(errno.EIO, "input/output error")

    recipe = recipe_for(made_source(), "made", "test", 3)
    with pytest.raises(OSError, match="input/output"):
        build_shard(Failing(made_source().entries), store, FOLDER, recipe, 0)
    assert files(store) == {}


BUILDER = """
import sys, time
from shards.store import Store
from tests.shards.made import ListSource, build, made_source
class Slow(ListSource):
    def read(self, start, stop):
        for entry in super().read(start, stop):
            if start == 6:
                print("third shard", flush=True)
                time.sleep(60)
            yield entry
build(Slow(made_source().entries), Store.at(sys.argv[1]))
"""


def test_a_killed_build_is_resumed(store: Store, request: pytest.FixtureRequest) -> None:
    command = [sys.executable, "-c", BUILDER, store.root]
    with subprocess.Popen(command, cwd=request.config.rootpath, stdout=subprocess.PIPE) as builder:
        assert builder.stdout is not None
        assert builder.stdout.readline() == b"third shard\n"
        builder.send_signal(signal.SIGKILL)
    recipe = recipe_for(made_source(), "made", "test", 3)
    assert missing_shards(store, FOLDER, recipe) == [2, 3]
    for shard in (2, 3):
        build_shard(made_source(), store, FOLDER, recipe, shard)
    finish(made_source(), store, FOLDER, recipe)
    build(made_source(), store, "whole")
    assert files(store) == files(store, "whole")


@needs_shared
def test_real_images_in_any_order(store: Store) -> None:
    source = First(CifarSource.open(SHARED / "data/cifar10", "test"), 250)
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
