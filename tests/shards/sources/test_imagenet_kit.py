from pathlib import Path

import pytest

from shards.errors import SourceError
from shards.sources.imagenet_val import DEVKIT, GROUND_TRUTH, IMAGES, META, Devkit, open_val_tar
from tests.shards.sources.made_val import JPEG, KIT, REAL, made_kit, made_tar, name_of


def test_a_missing_kit(tmp_path: Path) -> None:
    made_tar(tmp_path, (name_of(1), JPEG))
    with pytest.raises(SourceError, match=f"no {DEVKIT}.tar.gz beside .*name it as `devkit`"):
        open_val_tar(tmp_path, "val")
    with pytest.raises(SourceError, match=r"nowhere\.tar\.gz cannot be read .*as `devkit`"):
        open_val_tar(tmp_path, "val", tmp_path / "nowhere.tar.gz")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=f"{GROUND_TRUTH}, {META} missing"):
        open_val_tar(tmp_path, "val", tmp_path / "empty")


@pytest.mark.parametrize(
    ("truth", "meta", "message"),
    [
        ("490\nabc\n", None, "holds a non-number"),
        ("490\n", b"junk", "no readable table of synsets"),
    ],
)
def test_a_damaged_kit(tmp_path: Path, truth: str, meta: bytes | None, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        Devkit.read(made_kit(tmp_path, truth, meta))


@pytest.mark.parametrize("kept", [0, 50, 30_000, 100_000])
def test_a_truncated_kit(tmp_path: Path, kept: int) -> None:
    path = tmp_path / KIT.name
    path.write_bytes(KIT.read_bytes()[:kept])
    with pytest.raises(SourceError, match=f"{KIT.name}"):
        Devkit.read(path)


def test_a_damaged_archive_of_the_kit(tmp_path: Path) -> None:
    path = tmp_path / KIT.name
    raw = KIT.read_bytes()
    for position in range(20_000, len(raw) - 8, 20_000):
        path.write_bytes(raw[:position] + bytes(64) + raw[position + 64 :])
        with pytest.raises(SourceError, match=f"{KIT.name}"):
            Devkit.read(path)


def test_a_wrong_split_or_place(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="has the split val, not 'train'"):
        open_val_tar(REAL / "official", "train")
    for location in (tmp_path, tmp_path / "nowhere.tar"):
        with pytest.raises(SourceError, match=f"{location}: no {IMAGES} here"):
            open_val_tar(location, "val", KIT)


def test_a_range_moves_with_its_labels(tmp_path: Path) -> None:
    tar = made_tar(tmp_path, (name_of(1), JPEG), (name_of(2), JPEG))
    kits = [made_kit(tmp_path / str(i), truth) for i, truth in enumerate(("490\n1", "490\n2"))]
    one, two = (open_val_tar(tar, "val", kit) for kit in kits)
    assert one.range_identity(0, 1) == two.range_identity(0, 1)
    assert one.range_identity(1, 2) != two.range_identity(1, 2)
    assert one.labels()[0] == two.labels()[0]
    assert one.labels()[1] != two.labels()[1]
