import errno
from pathlib import Path
from typing import NoReturn

import pytest

from shards.errors import InputError, SourceError
from shards.sample import Skipped
from shards.sources.inspection import inspect_location
from shards.sources.inspection_text import description_lines, plan_lines
from shards.sources.source import Source, SourceSpec
from shards.store import Store
from tests.shards.listed import ListSource
from tests.shards.made import build, encoded, made_sample
from tests.support.shared_data import SHARED, needs_shared


def folder_of(root: Path, **classes: int) -> Path:
    for name, count in classes.items():
        (root / name).mkdir(parents=True)
        for number in range(count):
            (root / name / f"{name}{number}.png").write_bytes(encoded("PNG", number))
    return root


def test_a_folder_per_class(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "My Pets", cat=3, dog=40)
    (root / "cat/broken.png").write_bytes(b"")
    (found,) = inspect_location(root)
    assert (found.spec.source, found.entries, found.counts) == ("folder", 44, (4, 40))
    assert (found.classes.ids, found.present, found.is_uneven) == (("cat", "dog"), 2, True)
    assert found.forms == ((("png", 5, 4), 23),)
    assert found.skipped == (("zero bytes", 1, "cat/broken.png"),)
    lines = description_lines(found)
    assert "folder per class: 44 entries" in lines
    assert "entries per class: 4 (cat) to 40 (dog); uneven: look at balanced accuracy too" in lines
    assert "would skip 1 of 24: zero bytes (e.g. cat/broken.png)" in lines


def test_folders_called_like_splits(tmp_path: Path) -> None:
    folder_of(tmp_path / "pets/train", cat=2, dog=3)
    folder_of(tmp_path / "pets/Validation", cat=1, dog=1)
    found = inspect_location(tmp_path / "pets")
    assert [(one.split, one.entries) for one in found] == [("val", 2), ("train", 5)]
    assert {plan_lines(one)[0] for one in found} == {"- name: pets"}


def test_images_without_classes(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"image_{number}.png").write_bytes(encoded("PNG", number))
    (found,) = inspect_location(tmp_path)
    assert (found.entries, len(found.classes), found.unlabelled) == (5, 0, 5)
    text = "\n".join(description_lines(found))
    assert "hint: no classes" in text
    assert r"label_pattern: '[_-](\d+)\.\w+$'" in text


@pytest.mark.parametrize("content", ["nothing", "text"])
def test_what_is_not_recognised_lists_what_was_looked_for(tmp_path: Path, content: str) -> None:
    if content == "text":
        (tmp_path / "notes.txt").write_text("no images")
    with pytest.raises(InputError) as refused:
        inspect_location(tmp_path)
    message = str(refused.value)
    assert f"{tmp_path}: nothing here is recognised; looked for" in message
    for kind in ("cifar10", "cifar100", "mnist", "imagenet", "webdataset", "parquet", "folder"):
        assert f"\n  {kind}: " in message


def test_a_file_that_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(b"x" * 2000)
    with pytest.raises(InputError, match="nothing here is recognised"):
        inspect_location(tmp_path / "x.bin")


def test_what_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> NoReturn:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(InputError, match=f"^{tmp_path}: permission denied$"):
        inspect_location(tmp_path)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or directory"):
        inspect_location(tmp_path / "x")


def test_shards_of_our_own_are_not_taken_for_imagenet(store: Store) -> None:
    """Its classes are known from the manifest; any shards open as ImageNet's."""
    build(ListSource([made_sample(n, n % 3) for n in range(9)]), store)
    (found,) = inspect_location(Path(store.locate("shards/made/test/recipe")))
    assert (found.spec.source, found.entries, found.counts) == ("webdataset", 9, (3, 3, 3))


def test_the_less_odd_of_two_datasets_in_one_layout(tmp_path: Path) -> None:
    def opener(spec: SourceSpec, split: str) -> Source:
        if spec.source not in ("mnist", "fashion-mnist") or split != "test":
            raise SourceError("not this")
        notes = ("not the official file",) if spec.source == "mnist" else ()
        return ListSource([made_sample(0)], notes=notes, identity=spec.source)

    (found,) = inspect_location(tmp_path, opener)
    assert found.spec.source == "fashion-mnist"


def test_nothing_but_skipped_entries(tmp_path: Path) -> None:
    def opener(spec: SourceSpec, split: str) -> Source:
        if (spec.source, split) != ("imagenet", "val"):
            raise SourceError("not this")
        return ListSource([Skipped(f"{n}", "zero bytes") for n in range(100)])

    (found,) = inspect_location(tmp_path, opener)
    assert (found.looked_at, found.skipped) == (24, (("zero bytes", 24, "0"),))
    assert "of 24 entries looked at: no sample" in description_lines(found)


@needs_shared
@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("cifar10", {("cifar10", "test"), ("cifar10", "train")}),
        ("imagenet/official", {("imagenet", "val"), ("imagenet", "train")}),
        ("imagenet/kaggle_cls_loc", {("imagenet", "val")}),
        ("imagenet/hf_parquet", {("imagenet", "val")}),
    ],
)
def test_real_layouts(place: str, expected: set[tuple[str, str]]) -> None:
    found = inspect_location(SHARED / "data" / place)
    assert {(one.spec.source, one.split) for one in found} >= expected
    assert {one.spec.source for one in found} == {kind for kind, _ in expected}
