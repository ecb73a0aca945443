from pathlib import Path

import pytest

from shards.errors import SourceError
from shards.reader import ShardedSplit
from shards.sample import Sample, Skipped
from shards.sources.folder import FolderSource, imagenet_classes
from shards.sources.source import SourceSpec
from shards.store import Store
from tests.shards.made import FOLDER, build
from tests.shards.sources.made_folders import PNG, keys_and_labels, made_folder, opened, read
from tests.support.shared_data import SHARED, needs_shared


def test_a_folder_per_class(tmp_path: Path) -> None:
    made_folder(tmp_path, "cat/c1.png", "ant/a1.png", "ant/a2.png")
    source = opened(tmp_path)
    assert source.classes.ids == ("ant", "cat")
    results = list(source.read(0, 3))
    assert keys_and_labels(results) == {"a1": 0, "a2": 0, "c1": 1}
    assert [r.source_name for r in results] == ["ant/a1.png", "ant/a2.png", "cat/c1.png"]


def test_any_range_is_a_part_of_the_whole(tmp_path: Path) -> None:
    source = opened(made_folder(tmp_path, *[f"ant/{i}.png" for i in range(6)]))
    whole = list(source.read(0, 6))
    for start in range(6):
        for stop in range(start, 7):
            assert list(source.read(start, stop)) == whole[start:stop]


def test_labels_in_file_names(tmp_path: Path) -> None:
    made_folder(tmp_path, "0001_bee.png", "0002_ant.png", "x/0003_bee.jpg", "odd.png")
    results = read(tmp_path, label_pattern=r"_(\w+)\.", classes=("ant", "bee"))
    assert keys_and_labels(results) == {"0001_bee": 1, "0002_ant": 0, "0003_bee": 1}
    assert Skipped("odd.png", "no label in its name") in results


def test_labels_as_numbers_ids_or_unique_names(tmp_path: Path) -> None:
    made_folder(tmp_path, "7/a.png", "n01440764/b.png", "otter/c.png", "crane/d.png")
    results = read(tmp_path, classes="imagenet")
    assert keys_and_labels(results) == {"a": 7, "b": 0, "c": 360}
    assert Skipped("crane/d.png", "no such class: crane") in results


def test_an_unknown_class_and_a_file_in_none(tmp_path: Path) -> None:
    made_folder(tmp_path, "ant/a.png", "wasp/b.png", "loose.png")
    results = read(tmp_path, classes=("ant", "bee"))
    assert keys_and_labels(results) == {"a": 0, "loose": None}
    assert Skipped("wasp/b.png", "no such class: wasp") in results


def test_a_folder_without_sub_folders_is_unlabelled(tmp_path: Path, store: Store) -> None:
    made_folder(tmp_path, "a.png", "b.png", "notes.txt")
    source = opened(tmp_path, classes=("ant", "bee"))
    assert source.labels() == [None, None, None]
    assert keys_and_labels(list(source.read(0, 3))) == {"a": None, "b": None}
    manifest = build(source, store)
    assert (manifest.samples, manifest.unlabelled, manifest.class_counts) == (2, 2, (0, 0))
    [row] = manifest.skipped
    assert (row.source_name, row.reason) == ("notes.txt", "not named like an image")
    samples = [s for shard in ShardedSplit.open(store, FOLDER).shards() for s in shard.read()]
    assert [sample.image for sample in samples] == [PNG, PNG]


def test_a_file_beside_class_folders_is_unlabelled(tmp_path: Path) -> None:
    made_folder(tmp_path, "ant/a.png", "bee/b.png", "loose.png")
    assert opened(tmp_path).classes.ids == ("ant", "bee")
    assert keys_and_labels(read(tmp_path)) == {"a": 0, "b": 1, "loose": None}


def test_nothing_says_the_classes(tmp_path: Path) -> None:
    made_folder(tmp_path, "a.png", "docs/readme.txt")
    with pytest.raises(SourceError, match=r"no sub-folder holds images.*give `classes`"):
        opened(tmp_path)
    assert len(opened(tmp_path, classes="mnist").classes) == 10


def test_what_is_no_image(tmp_path: Path) -> None:
    made_folder(tmp_path, "ant/a.png")
    made_folder(tmp_path, "ant/notes.txt", image=b"hello")
    made_folder(tmp_path, "ant/empty.png", image=b"")
    made_folder(tmp_path, "ant/text.jpg", image=b"hello")
    assert read(tmp_path)[1:] == [
        Skipped("ant/empty.png", "zero bytes"),
        Skipped("ant/notes.txt", "not named like an image"),
        Skipped("ant/text.jpg", "neither PNG nor JPEG"),
    ]


def test_a_folder_without_images_is_no_class(tmp_path: Path) -> None:
    made_folder(tmp_path, "ant/a.png", "docs/readme.txt")
    (tmp_path / "bee").mkdir()
    assert opened(tmp_path).classes.ids == ("ant",)
    assert Skipped("docs/readme.txt", "not named like an image") in read(tmp_path)


def test_include_chooses(tmp_path: Path) -> None:
    made_folder(tmp_path, "ant/a.png", "ant/b.jpg", "bee/c.png")
    assert keys_and_labels(read(tmp_path, include="**/*.png")) == {"a": 0, "c": 1}
    assert keys_and_labels(read(tmp_path, include="bee/*")) == {"c": 0}


@pytest.mark.parametrize("pattern", ["(", "[", "(?P<x", "*"])
def test_a_pattern_that_is_none(tmp_path: Path, pattern: str) -> None:
    made_folder(tmp_path, "1.png")
    with pytest.raises(SourceError, match="label_pattern"):
        opened(tmp_path, label_pattern=pattern)


def test_a_pattern_without_a_group(tmp_path: Path) -> None:
    made_folder(tmp_path, "1.png")
    with pytest.raises(SourceError, match=r"label_pattern .*needs one group"):
        opened(tmp_path, label_pattern=r"\d")


@pytest.mark.parametrize("include", ["", "/absolute/*", "a**/b**"])
def test_an_include_that_is_no_glob(tmp_path: Path, include: str) -> None:
    made_folder(tmp_path, "ant/1.png")
    with pytest.raises(SourceError, match=r"include|no file matches"):
        opened(tmp_path, include=include)


def test_classes_named_twice(tmp_path: Path) -> None:
    made_folder(tmp_path, "ant/1.png")
    with pytest.raises(SourceError, match="not unique"):
        opened(tmp_path, classes=("ant", "ant"))


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nowhere: no such folder"):
        opened(tmp_path / "nowhere")
    with pytest.raises(SourceError, match="no file matches"):
        opened(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="no file matches"):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("classes", "label", "index"),
    [("cifar100", "worm", 99), ("mnist", "7", 7), ("fashion-mnist", "Ankle boot", 9)],
)
def test_built_in_class_lists(tmp_path: Path, classes: str, label: str, index: int) -> None:
    made_folder(tmp_path, f"{label}/a.png")
    assert keys_and_labels(read(tmp_path, classes=classes)) == {"a": index}


@needs_shared
def test_real_images_by_kaggles_layout() -> None:
    root = SHARED / "data/imagenet/kaggle_cls_loc/ILSVRC/Data/CLS-LOC/train"
    results = read(root, classes="imagenet")
    assert len(results) == 6
    for sample in results:
        assert isinstance(sample, Sample)
        assert imagenet_classes().ids[sample.label or 0] == sample.source_name.split("/")[0]
        assert sample.image == (root / sample.source_name).read_bytes()


def test_numbers_that_are_ids_are_no_indices(tmp_path: Path) -> None:
    for label in ("0", "1"):
        (tmp_path / label).mkdir()
        (tmp_path / label / f"{label}.png").write_bytes(PNG)
    spec = SourceSpec(source="folder", location=tmp_path, classes=("1", "2"))
    found = list(FolderSource.open(spec).read(0, 2))
    assert [getattr(entry, "reason", None) for entry in found] == ["no such class: 0", None]
