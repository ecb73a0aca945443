import os
import shutil
from pathlib import Path

import pytest

from shards.errors import SourceError
from shards.reader import ShardedSplit
from shards.sample import KEY_PATTERN, Sample, Skipped
from shards.sources.folder import FolderSource, imagenet_classes
from shards.sources.source import SourceSpec
from shards.store import Store
from tests.shards.made import FOLDER, build, encoded
from tests.support.shared_data import SHARED, needs_shared

PNG = encoded("PNG")
JPEG = encoded("JPEG")


def made_folder(root: Path, *names: str, image: bytes = PNG) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image)
        os.utime(path, ns=(0, 0))
    return root


def opened(root: Path, **options: object) -> FolderSource:
    return FolderSource.open(
        SourceSpec.model_validate({"source": "folder", "location": root, **options})
    )


def read(root: Path, **options: object) -> list[Sample | Skipped]:
    source = opened(root, **options)
    results = list(source.read(0, len(source)))
    assert len(results) == len(source)
    return results


def keys_and_labels(results: list[Sample | Skipped]) -> dict[str, int | None]:
    return {r.key: r.label for r in results if isinstance(r, Sample)}


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


def test_identity_moves_with_files_and_options(tmp_path: Path) -> None:
    made_folder(tmp_path, "ant/1.png", "ant/2.png", "bee/3.png")
    identities = {
        opened(tmp_path).identity,
        opened(tmp_path, classes=("bee", "ant")).identity,
        opened(tmp_path, label_pattern=r"(\d)").identity,
        opened(tmp_path, include="**/[12].png").identity,
    }
    assert opened(tmp_path).identity in identities
    made_folder(tmp_path, "ant/1.png", image=JPEG)
    identities.add(opened(tmp_path).identity)
    (tmp_path / "ant/2.png").rename(tmp_path / "ant/4.png")
    identities.add(opened(tmp_path).identity)
    assert len(identities) == 6


def test_identity_does_not_move_with_the_place(tmp_path: Path) -> None:
    one = made_folder(tmp_path / "one", "ant/1.png")
    two = made_folder(tmp_path / "two", "ant/1.png")
    assert opened(one).identity == opened(two).identity


def test_a_broken_image_gives_the_same_manifest_everywhere(tmp_path: Path, store: Store) -> None:
    manifests = []
    for place in ("one", "two"):
        root = made_folder(tmp_path / place, "ant/1.png")
        made_folder(root, "ant/broken.jpg", image=b"\xff\xd8\xff" + b"junk" * 9)
        manifests.append(build(opened(root), store, place))
    assert manifests[0].to_json() == manifests[1].to_json()


@pytest.mark.parametrize("change", ["gone", "longer", "touched"])
def test_a_file_that_is_not_as_it_was_listed_ends_the_build(
    tmp_path: Path, store: Store, change: str
) -> None:
    """Its recipe is that of the files as listed: other bytes in it would stay there for ever."""
    source = opened(made_folder(tmp_path, "ant/1.png", "ant/2.png"))
    path = tmp_path / "ant/2.png"
    match change:
        case "gone":
            path.unlink()
        case "longer":
            path.write_bytes(PNG + b"more")
            os.utime(path, ns=(0, 0))
        case "touched":
            os.utime(path, ns=(1, 1))
    told = "cannot be read .No such file" if change == "gone" else "changed since it was listed"
    with pytest.raises(SourceError, match=rf"ant/2\.png .*{told}"):
        build(source, store)
    assert store.names(FOLDER) == []


def test_a_file_that_must_not_be_read_is_skipped_until_it_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_folder(tmp_path, "ant/1.png", "ant/2.png")
    with monkeypatch.context() as patched:
        patched.setattr(os, "access", lambda path, _: not os.fspath(path).endswith("2.png"))
        before = opened(tmp_path)
    [_, skipped] = before.read(0, 2)
    assert skipped == Skipped("ant/2.png", "Permission denied")
    after = opened(tmp_path)
    assert before.identity != after.identity
    assert all(isinstance(result, Sample) for result in after.read(0, 2))


def test_a_range_moves_with_its_files_alone(tmp_path: Path) -> None:
    made_folder(tmp_path, *[f"ant/{i}.png" for i in range(6)])
    before = opened(tmp_path, classes=("ant", "bee"))
    assert (before.notes, before.labels()) == ((), [0] * 6)
    made_folder(tmp_path, "ant/3.png", image=JPEG)
    made_folder(tmp_path, "bee/7.png", "bee/8.txt")
    after = opened(tmp_path, classes=("ant", "bee"))
    assert after.labels() == [0] * 6 + [1, None]
    same = [before.range_identity(i, i + 1) == after.range_identity(i, i + 1) for i in range(6)]
    assert same == [True, True, True, False, True, True]


def test_a_label_or_key_that_moves_moves_the_range(tmp_path: Path) -> None:
    made_folder(tmp_path, "bee/1.png", "bee/2.png")
    before = opened(tmp_path).range_identity(0, 1)
    made_folder(tmp_path, "cat/1.png")  # now base names are equal
    assert opened(tmp_path).range_identity(0, 1) != before
    (tmp_path / "cat/1.png").rename(tmp_path / "cat/3.png")
    assert opened(tmp_path).range_identity(0, 1) == before
    made_folder(tmp_path, "ant/4.png")  # bee is class 1 now
    assert opened(tmp_path).range_identity(1, 2) != before


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
