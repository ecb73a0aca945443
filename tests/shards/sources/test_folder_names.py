import os
import shutil
from pathlib import Path

import pytest

from shards.errors import SourceError
from shards.reader import ShardedSplit
from shards.sample import KEY_PATTERN, Sample
from shards.store import Store
from tests.shards.made import FOLDER, build
from tests.shards.sources.made_folders import JPEG, PNG, keys_and_labels, made_folder, opened, read


def test_the_suffix_is_what_the_image_is(tmp_path: Path) -> None:
    made_folder(tmp_path, "ant/a.png", image=JPEG)
    made_folder(tmp_path, "ant/b.JPG", image=PNG)
    made_folder(tmp_path, "ant/c.JPEG", image=JPEG)
    suffixes = [r.header.suffix for r in read(tmp_path) if isinstance(r, Sample)]
    assert suffixes == ["jpg", "png", "jpg"]


def test_equal_base_names_get_keys_of_their_own(tmp_path: Path, store: Store) -> None:
    made_folder(tmp_path, "ant/1.png", "bee/1.png", "bee/1.jpg", "bee/2.png", "z/bee_1.png")
    results = read(tmp_path)
    keys = [r.key for r in results if isinstance(r, Sample)]
    assert len(set(keys)) == 5
    assert "2" in keys
    assert keys == [r.key for r in read(tmp_path) if isinstance(r, Sample)]
    assert build(opened(tmp_path), store).samples == 5


def test_long_and_foreign_names_get_keys_of_their_own(tmp_path: Path, store: Store) -> None:
    long = "x" * 150
    names = [f"ant/{long}1.png", f"ant/{long}2.png", f"bee/{long}1.png"]
    names += ["ant/蟻.png", "ant/蜂.png", "bee/Käfer.png", "bee/v1.2.final.png", "bee/a b.png"]
    made_folder(tmp_path, *names)
    results = read(tmp_path)
    keys = [r.key for r in results if isinstance(r, Sample)]
    assert len(set(keys)) == len(names)
    assert all(KEY_PATTERN.fullmatch(key) for key in keys)
    assert {"K_fer", "v1_2_final", "a_b"} <= set(keys)
    assert sorted(r.source_name for r in results) == sorted(names)
    assert build(opened(tmp_path), store).samples == len(names)


def test_many_foreign_names_are_numbered_in_time(tmp_path: Path) -> None:
    made_folder(tmp_path, *[f"ant/{chr(0x4E00 + i)}.png" for i in range(1000)])
    assert len({r.key for r in read(tmp_path) if isinstance(r, Sample)}) == 1000


def test_a_name_that_is_no_utf8(tmp_path: Path, store: Store) -> None:
    made_folder(tmp_path, "ant/a.png", os.fsdecode(b"ant/\xff.png"))
    made_folder(tmp_path, os.fsdecode(b"ant/\xfe.txt"), image=b"hello")
    manifest = build(opened(tmp_path), store)
    assert manifest.entries == 3
    split = ShardedSplit.open(store, FOLDER)
    assert split.samples["source_name"].to_pylist() == ["ant/a.png", "ant/\ufffd.png"]
    assert [row.source_name for row in manifest.skipped] == ["ant/\ufffd.txt"]
    read = [sample.image for shard in split.shards() for sample in shard.read()]
    assert read == [PNG, PNG]


def test_a_class_whose_name_is_no_utf8(tmp_path: Path, store: Store) -> None:
    made_folder(tmp_path, "ant/a.png", os.fsdecode(b"k\xe4fer/b.png"))
    manifest = build(opened(tmp_path), store)
    assert manifest.class_names == ("ant", "k\ufffdfer")
    assert manifest.class_counts == (1, 1)


def test_hidden_files_and_folders_are_ignored(tmp_path: Path) -> None:
    root = tmp_path / ".cache/images"  # where the folder itself lies does not matter
    made_folder(root, "ant/a.png", "ant/._a.png", "ant/.DS_Store", ".git/x.png", ".top.png")
    source = opened(root)
    assert source.classes.ids == ("ant",)
    assert [r.source_name for r in read(root)] == ["ant/a.png"]
    shutil.rmtree(root / "ant")
    with pytest.raises(SourceError, match="no file matches"):
        opened(root)


def test_labels_that_are_numbers_are_in_their_order(tmp_path: Path) -> None:
    made_folder(tmp_path / "numbers", *[f"{label}/{label}.png" for label in (10, 9, 1, 0)])
    assert opened(tmp_path / "numbers").classes.ids == ("0", "1", "9", "10")
    assert keys_and_labels(read(tmp_path / "numbers")) == {"0": 0, "1": 1, "9": 2, "10": 3}
    made_folder(tmp_path / "mixed", *[f"{label}/x.png" for label in ("10", "9", "ant")])
    assert opened(tmp_path / "mixed").classes.ids == ("10", "9", "ant")
    made_folder(tmp_path / "names", *[f"{label}_x.png" for label in ("10", "9", "1")])
    assert opened(tmp_path / "names", label_pattern=r"^(\d+)_").classes.ids == ("1", "9", "10")


def test_labels_that_are_the_same_number_have_one_order(tmp_path: Path) -> None:
    labels = [f"{number:0{width}d}" for number in (1, 2, 3) for width in (4, 3, 2, 1)]
    made_folder(tmp_path, *[f"{label}/x.png" for label in labels])
    assert opened(tmp_path).classes.ids == tuple(labels)
