import errno
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pytest

from shards.build import build_shard, finish
from shards.errors import ShardError, SourceError, StoreError
from shards.image import read_header
from shards.manifest import MANIFEST_NAME, SAMPLES_NAME, Manifest
from shards.order import in_order
from shards.parts import PARTS, STALE_SECONDS, missing_shards, sweep
from shards.reader import ShardedSplit
from shards.recipe import Recipe, recipe_for
from shards.reuse import RANGES_NAME, reusable_shards, take_over
from shards.sample import ClassList, Sample, Skipped
from shards.sources.folder import FolderSource
from shards.sources.opening import open_source
from shards.sources.source import Source, SourceSpec
from shards.store import Store
from shards.verify import verify_split
from tests.shards import made
from tests.shards.made import FOLDER, First, build, made_sample
from tests.support.shared_data import SHARED, needs_shared


@dataclass(frozen=True)
class ListSource(made.ListSource):
    """A source that is a list, and remembers which ranges of it were read."""

    ranges_read: list[tuple[int, int]] = field(default_factory=list, compare=False)

    def read(self, start: int, stop: int) -> Iterator[Sample | Skipped]:
        self.ranges_read.append((start, stop))
        return super().read(start, stop)


def made_source() -> ListSource:
    return ListSource(made.made_source().entries)


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


def test_finish_needs_every_part(store: Store) -> None:
    recipe = recipe_for(made_source(), "made", "test", 3)
    build_shard(made_source(), store, FOLDER, recipe, 0)
    with pytest.raises(ShardError, match=r"parts/000001\.parquet is missing; run the build again"):
        finish(made_source(), store, FOLDER, recipe)
    assert not store.exists(f"{FOLDER}/{MANIFEST_NAME}")


def test_a_damaged_part_or_a_lost_tar_is_not_finished(store: Store) -> None:
    recipe = recipe_for(made_source(), "made", "test", 3)
    for shard in range(recipe.shard_count):
        build_shard(made_source(), store, FOLDER, recipe, shard)
    tar = Path(store.locate(f"{FOLDER}/{recipe.shard_name(1)}"))
    tar.unlink()
    with pytest.raises(
        ShardError, match=r"000001\.tar was built and is gone; remove parts/000001\."
    ):
        finish(made_source(), store, FOLDER, recipe)
    part = tar.parent / PARTS / "000001.parquet"
    part.write_bytes(b"")
    with pytest.raises(ShardError, match=r"parts/000001\.parquet is damaged .*; remove it and run"):
        finish(made_source(), store, FOLDER, recipe)
    part.unlink()
    assert missing_shards(store, FOLDER, recipe) == [1]
    build_shard(made_source(), store, FOLDER, recipe, 1)
    finish(made_source(), store, FOLDER, recipe)
    assert verify_split(ShardedSplit.open(store, FOLDER), 1).faults == ()


class Lies(ListSource):
    """Gives one entry less, or more, than it was asked for in the second range."""

    surplus = 0

    def read(self, start: int, stop: int) -> Iterator[Sample | Skipped]:
        return super().read(start, stop + (self.surplus if start == 3 else 0))


class LosesEntries(Lies):
    surplus = -1


class DoublesEntries(Lies):
    surplus = 1


@pytest.mark.parametrize(("lying", "count"), [(LosesEntries, "2"), (DoublesEntries, "more than 3")])
def test_another_number_of_results_than_entries_ends_the_build(
    store: Store, lying: type[Lies], count: str
) -> None:
    message = f"made: entries 3 to 6 gave {count} results instead of 3"
    with pytest.raises(SourceError, match=message):
        build(lying(made_source().entries), store)
    # Nothing of that range, and nothing that says the split is whole.
    assert sorted(files(store)) == ["made-test-000000.tar", f"{PARTS}/000000.parquet"]


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
    with pytest.raises(SourceError, match=r"made: entries 0 to 3 cannot be read .*input/output"):
        build_shard(Failing(made_source().entries), store, FOLDER, recipe, 0)
    assert files(store) == {}


BUILDER = """
import sys, time
from shards.store import Store
from tests.shards.made import build
from tests.shards.test_build import ListSource, made_source
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


def numbered(count: int) -> list[Sample | Skipped]:
    """Entries of which some are skipped, some have fields, some no label."""
    entries: list[Sample | Skipped] = []
    for number in range(count):
        sample = made_sample(number % 100, number % 3)
        name = f"{number:05d}"
        if number % 97 == 5:
            entries.append(Skipped(name, "zero bytes"))
        elif number in (120, 121):
            entries.append(replace(sample, key=name, label=None, fields={"camera": "front"}))
        else:
            fields: dict[str, str | int] = {"session": number} if number > 950 else {}
            entries.append(replace(sample, key=name, source_name=name, fields=fields))
    return entries


def build_like_the_flow(source: Source, store: Store, size: int = 100) -> tuple[str, Recipe, list]:
    """Build into the recipe's folder, taking over what can be; which shards were taken over."""
    recipe = recipe_for(source, "made", "test", size)
    folder = f"shards/made/test/{recipe.name}"
    missing = missing_shards(store, folder, recipe)
    found = reusable_shards(source, store, folder, recipe, missing)
    taken = []
    for shard in missing:
        if shard in found and take_over(source, folder, recipe, shard, found[shard]):
            taken.append(shard)
        else:
            build_shard(source, store, folder, recipe, shard)
    finish(source, store, folder, recipe)
    return folder, recipe, taken


@pytest.mark.parametrize("where", ["disk", "memory"])
def test_an_extended_source_rebuilds_only_the_last_shards(tmp_path: Path, where: str) -> None:
    store = Store.at(tmp_path if where == "disk" else f"memory://{tmp_path.name}")
    fresh = Store.at(tmp_path / "fresh")
    entries = numbered(1200)
    build_like_the_flow(ListSource(entries[:950], identity="made"), store)
    grown = ListSource(entries)
    folder, recipe, taken = build_like_the_flow(grown, store)
    assert taken == list(range(9))
    assert grown.ranges_read == [(900, 1000), (1000, 1100), (1100, 1200)]
    build_like_the_flow(ListSource(entries), fresh)
    assert {name: store.read(f"{folder}/{name}") for name in store.names(folder)} == files(
        fresh, folder
    )
    split = ShardedSplit.open(store, folder)
    assert verify_split(split, 2).faults == ()
    if where == "disk":
        name = recipe.shard_name(0)
        inodes = {path.stat().st_ino for path in tmp_path.glob(f"shards/made/test/*/{name}")}
        assert len(inodes) == 1


def test_a_shrunk_source_takes_over_no_field_of_what_went(store: Store) -> None:
    entries = numbered(300)
    build_like_the_flow(ListSource(entries), store)
    folder, _, taken = build_like_the_flow(ListSource(entries[:100]), store)
    assert taken == [0]
    # `camera` is a field of the second shard only.
    assert "camera" not in ShardedSplit.open(store, folder).samples.column_names


@pytest.mark.parametrize(
    "change", ["label", "image", "class", "size", "order", "verify", "unfinished", "tar"]
)
def test_what_may_have_changed_is_never_taken_over(store: Store, change: str) -> None:
    entries = numbered(300)
    before, _, _ = build_like_the_flow(ListSource(entries), store)
    later = partial(ListSource, identity="later")
    source: Source = later(entries)
    size, expected = 100, []
    recipe = recipe_for(source, "made", "test", 100)
    assert isinstance(entries[0], Sample)
    match change:
        case "label":
            source = later([replace(entries[0], label=2), *entries[1:]])
            expected = [1, 2]
        case "image":
            source = later([*entries[:299], replace(entries[0], key="new")])
            expected = [0, 1]
        case "class":
            classes = ClassList.of_names(("ant", "bee", "cow"))
            source = later(entries, classes=classes)
        case "size":
            source, size = later(entries), 150
        case "order":
            source = in_order(later(entries), "stratified", 0)
        case "verify":
            source = later(entries)
            recipe = recipe_for(source, "made", "test", 100, "decode")
        case "unfinished":
            source = later([*entries, made_sample(1)])
            Path(store.locate(f"{before}/{MANIFEST_NAME}")).unlink()
        case "tar":
            source = later([*entries, replace(entries[0], key="new")])
            tar = Path(store.locate(f"{before}/made-test-000001.tar"))
            tar.write_bytes(tar.read_bytes().replace(b"IEND", b"JEND", 1))
            expected = [0, 2]
    if change == "verify":
        folder = f"shards/made/test/{recipe.name}"
        assert reusable_shards(source, store, folder, recipe, [0, 1, 2]) == {}
        return
    folder, _, taken = build_like_the_flow(source, store, size)
    assert taken == expected
    assert verify_split(ShardedSplit.open(store, folder), 2).faults == ()


def test_a_folder_that_grows_is_extended(store: Store, tmp_path: Path) -> None:
    """Real files: the new ones sort last, so only the last shards are read again."""
    root = tmp_path / "images"
    for number in range(8):
        (root / "ant").mkdir(parents=True, exist_ok=True)
        (root / "bee").mkdir(parents=True, exist_ok=True)
        (root / f"ant/a{number}.png").write_bytes(made.encoded("PNG", number))
        (root / f"bee/b{number}.png").write_bytes(made.encoded("PNG", 50 + number))
    spec = SourceSpec(source="folder", location=root)
    build_like_the_flow(FolderSource.open(spec), store, 3)
    (root / "bee/b9.png").write_bytes(made.encoded("PNG", 99))
    _, _, taken = build_like_the_flow(FolderSource.open(spec), store, 3)
    assert taken == [0, 1, 2, 3, 4]
    # A second a1 gives the first another key, though its own bytes and name are as before.
    (root / "bee/a1.png").write_bytes(made.encoded("PNG", 100))
    folder, _, taken = build_like_the_flow(FolderSource.open(spec), store, 3)
    assert taken == [1]
    assert "ant_a1" in ShardedSplit.open(store, folder).samples["key"].to_pylist()


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
