import hashlib
from pathlib import Path

import pytest

from shards.sources import official
from shards.sources.official import OFFICIAL, OfficialFile, content_note, md5_note


def known(monkeypatch: pytest.MonkeyPatch, **files: OfficialFile) -> None:
    monkeypatch.setattr(official, "OFFICIAL", {"a.bin": files.pop("a")} | files)


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def test_torchvision_knows_the_same_sums() -> None:
    cifar = pytest.importorskip("torchvision.datasets.cifar")
    mnist = pytest.importorskip("torchvision.datasets.mnist")
    theirs: dict[str, str] = {}
    for dataset in (cifar.CIFAR10, cifar.CIFAR100):
        theirs[dataset.filename] = dataset.tgz_md5
        lists = [*dataset.train_list, *dataset.test_list]
        lists.append([dataset.meta["filename"], dataset.meta["md5"]])
        theirs |= {f"{dataset.base_folder}/{name}": found for name, found in lists}
        assert OFFICIAL[dataset.filename].url == dataset.url
    for name, dataset in (("mnist", mnist.MNIST), ("fashion-mnist", mnist.FashionMNIST)):
        theirs |= {f"{name}/{file}": found for file, found in dataset.resources}
        for file, _ in dataset.resources:
            assert OFFICIAL[f"{name}/{file}"].url in {mirror + file for mirror in dataset.mirrors}
    imagenet = pytest.importorskip("torchvision.datasets.imagenet")
    theirs |= dict(imagenet.ARCHIVE_META.values())
    assert {name: OFFICIAL[name].md5 for name in theirs} == theirs
    # Of the binary archives torchvision says nothing.
    assert set(OFFICIAL) - set(theirs) == {"cifar-10-binary.tar.gz", "cifar-100-binary.tar.gz"}


def test_a_file_of_no_official_name_is_of_no_interest(tmp_path: Path) -> None:
    path = tmp_path / "mine.tar"
    path.write_bytes(b"x")
    assert md5_note(path) is None
    assert content_note("mine.tar", b"x") is None


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"official", None),
        (
            b"other",
            f"a.bin is not the official file: its MD5 is {md5(b'other')}, not {md5(b'official')}",
        ),
    ],
)
def test_another_file_than_the_official_one_is_noted_without_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, expected: str | None
) -> None:
    known(monkeypatch, a=OfficialFile(None, md5(b"official")))
    path = tmp_path / "a.bin"
    path.write_bytes(content)
    assert md5_note(path) == content_note("a.bin", content) == expected


def test_a_mistaken_dataset_is_recognised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"b.bin": OfficialFile(None, md5(b"of b"))}
    known(monkeypatch, a=OfficialFile(None, md5(b"official")), **files)
    path = tmp_path / "renamed.bin"
    path.write_bytes(b"of b")
    note = md5_note(path, "a.bin")
    assert note is not None
    assert note.startswith("renamed.bin is not the official file: its MD5 is that of b.bin, not ")


@pytest.mark.parametrize(("hashed_bytes", "is_hashed"), [(3, False), (99, True)])
def test_a_large_file_is_hashed_only_where_it_may_be_the_official_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hashed_bytes: int, is_hashed: bool
) -> None:
    monkeypatch.setattr(official, "HASHED_BYTES", hashed_bytes)
    monkeypatch.setattr(official, "RECOGNISED_BYTES", 3)
    path = tmp_path / "a.bin"
    path.write_bytes(b"other")
    known(monkeypatch, a=OfficialFile(None, md5(b"official"), 8))
    assert md5_note(path) == "a.bin has 5 bytes, the official file 8"
    for size in (5, None):
        known(monkeypatch, a=OfficialFile(None, md5(b"official"), size))
        assert ("its MD5 is" in (md5_note(path) or "")) == is_hashed


def test_an_unknown_sum_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "cifar-100-binary.tar.gz"
    path.write_bytes(b"x")
    assert md5_note(path) is None
