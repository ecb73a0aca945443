from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from shards.build import build_shard, finish
from shards.manifest import MANIFEST_NAME
from shards.order import in_order
from shards.parts import missing_shards
from shards.reader import ShardedSplit
from shards.recipe import Recipe, recipe_for
from shards.reuse import reusable_shards, take_over
from shards.sample import ClassList, Sample, Skipped
from shards.sources.folder import FolderSource
from shards.sources.source import Source, SourceSpec
from shards.store import Store
from shards.verify import verify_split
from tests.shards import made
from tests.shards.listed import ListSource, files
from tests.shards.made import made_sample


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
