import csv
import hashlib
import tarfile
from pathlib import Path

import pytest

from shards.errors import SourceError
from shards.sample import Sample, Skipped
from shards.sources.folder import imagenet_classes
from shards.sources.imagenet_val import DEVKIT, IMAGES, Devkit, open_val_tar
from shards.sources.tar_source import TarSource
from shards.store import Store
from tests.shards.made import build, encoded
from tests.shards.sources.made_val import (
    JPEG,
    KIT,
    REAL,
    made_kit,
    made_tar,
    name_of,
    read_made,
)
from tests.support.shared_data import needs_shared

pytestmark = needs_shared  # meta.mat, with its 1,860 synsets, is needed throughout


@pytest.fixture(scope="module")
def real() -> TarSource:
    return open_val_tar(REAL / "official", "val")


@pytest.fixture(scope="module")
def table() -> list[dict[str, str]]:
    with (REAL / "manifest.csv").open() as file:
        return [row for row in csv.DictReader(file) if row["split"] == "val"]


def test_the_328_real_images(real: TarSource, table: list[dict[str, str]]) -> None:
    samples = [sample for sample in real.read(0, 328) if isinstance(sample, Sample)]
    assert len(real) == len(samples) == len(table) == 328
    rows = {row["fixture_name"]: row for row in table}
    for sample in samples:
        row = rows[sample.source_name]
        assert sample.label == int(row["class_index"])
        assert sample.fields == {"wnid": row["wnid"]}
        assert real.classes.ids[sample.label] == row["wnid"]
        assert hashlib.sha256(sample.image).hexdigest() == row["sha256"]
        assert sample.header.suffix == "jpg"
        assert f"{sample.key}.JPEG" == sample.source_name
    assert [sample.key for sample in samples] == sorted(sample.key for sample in samples)


def test_classes_are_the_sorted_wordnet_ids(real: TarSource) -> None:
    with (REAL / "imagenet_classes.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    wnids = tuple(row["wnid"] for row in rows)
    assert real.classes.ids == imagenet_classes().ids == wnids == tuple(sorted(wnids))
    first_words = tuple(row["words"].split(",")[0] for row in rows)
    assert real.classes.names == imagenet_classes().names == first_words
    assert real.classes.names[0] == "tench"
    assert [i for i, name in enumerate(real.classes.names) if name == "crane"] == [134, 517]
    assert real.classes.names[360] == "otter"
    assert real.classes.ids[999] == "n15075141"


def test_no_ilsvrc_id_is_taken_for_an_index(table: list[dict[str, str]]) -> None:
    kit = Devkit.read(KIT)
    assert len(kit.ground_truth) == 328
    for row in table:
        number = int(row["fixture_name"][15:23])
        assert kit.ground_truth[number - 1] == int(row["class_index"])
        assert kit.ground_truth[number - 1] != int(row["ilsvrc2012_id"]) - 1


def test_an_unpacked_kit_is_the_same_kit(tmp_path: Path, real: TarSource) -> None:
    with tarfile.open(KIT) as tar:
        tar.extractall(tmp_path, filter="data")
    assert Devkit.read(tmp_path / DEVKIT) == Devkit.read(KIT)
    assert Devkit.read(tmp_path) == Devkit.read(KIT)
    tar = REAL / "official" / IMAGES
    assert open_val_tar(tar, "val", tmp_path / DEVKIT).identity == real.identity


def test_any_range_is_a_part_of_the_whole(real: TarSource) -> None:
    whole = list(real.read(0, 20))
    assert [list(real.read(i, i + 3)) for i in range(17)] == [whole[i : i + 3] for i in range(17)]
    assert list(real.read(325, 1000)) == list(real.read(325, 328))


def test_order_in_the_tar_does_not_matter(tmp_path: Path) -> None:
    images = [(name_of(number), encoded("JPEG", number)) for number in (3, 1, 2)]
    assert read_made(tmp_path, *images) == read_made(tmp_path, *sorted(images))


def test_a_leading_dot_folder_does_not_matter(tmp_path: Path) -> None:
    folder = tarfile.TarInfo("./")
    folder.type = tarfile.DIRTYPE
    [sample] = read_made(tmp_path, folder, (f"./{name_of(1)}", JPEG))
    assert (sample.key, sample.label) == ("ILSVRC2012_val_00000001", 14)


def test_a_truncated_real_tar(tmp_path: Path) -> None:
    raw = (REAL / "official" / IMAGES).read_bytes()[:400_000]
    (tmp_path / IMAGES).write_bytes(raw)
    with pytest.raises(SourceError, match=f"{IMAGES}: cut short"):
        open_val_tar(tmp_path / IMAGES, "val", KIT)


# In the image, at its last byte, in its padding, after it, in the next header.
@pytest.mark.parametrize("after", [0, 1, 511, 512, 600, 512 + 512 - 1])
def test_a_tar_cut_anywhere(tmp_path: Path, after: int) -> None:
    image = JPEG.ljust(1024, b"\0")[:1023]
    path = made_tar(tmp_path, *[(name_of(number), image) for number in (1, 2, 3)])
    path.write_bytes(path.read_bytes()[: 2 * (512 + 1024) - 512 + after])
    with pytest.raises(SourceError, match=f"{IMAGES}: cut short"):
        open_val_tar(path, "val", KIT)


def test_a_damaged_header_in_the_middle(tmp_path: Path) -> None:
    image = bytes(1024)
    path = made_tar(tmp_path, *[(name_of(number), image) for number in (1, 2, 3)])
    raw = bytearray(path.read_bytes())
    raw[512 + 1024 + 5] ^= 1
    path.write_bytes(raw)
    with pytest.raises(SourceError, match=IMAGES):
        open_val_tar(path, "val", KIT)


@pytest.mark.parametrize("raw", [b"", b"junk", b"<html>" * 200, bytes(10240)])
def test_what_is_no_tar(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / IMAGES).write_bytes(raw)
    with pytest.raises(SourceError, match=IMAGES):
        open_val_tar(tmp_path / IMAGES, "val", KIT)


def test_ids_that_are_no_class(tmp_path: Path) -> None:
    # 490 is a class, 1001 an inner node of meta.mat, 5000 is nowhere in it.
    kit = made_kit(tmp_path, "490\n1001\n5000\n0\n-1\n")
    members = [(name_of(number), JPEG) for number in range(1, 6)]
    source = open_val_tar(made_tar(tmp_path, *members), "val", kit)
    first, *others = source.read(0, 5)
    assert isinstance(first, Sample)
    for number, skipped in enumerate(others, start=2):
        assert isinstance(skipped, Skipped)
        assert skipped.source_name == name_of(number)
        assert skipped.reason.startswith("no such class")


def test_a_duplicate_name_keeps_the_first(tmp_path: Path, store: Store) -> None:
    other = encoded("JPEG", 5)
    results = read_made(tmp_path, (name_of(1), JPEG), (name_of(2), JPEG), (name_of(1), other))
    assert [r.image for r in results if isinstance(r, Sample)] == [JPEG, JPEG]
    assert results[1] == Skipped(name_of(1), "duplicate name")
    manifest = build(open_val_tar(tmp_path, "val", KIT), store)
    assert (manifest.entries, manifest.samples) == (3, 2)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_a_link_is_skipped(tmp_path: Path, kind: bytes) -> None:
    link = tarfile.TarInfo(name_of(2))
    link.type, link.linkname = kind, name_of(1)
    results = read_made(tmp_path, (name_of(1), JPEG), link)
    assert results[1] == Skipped(name_of(2), "not a regular file")


@pytest.mark.parametrize(
    ("name", "image", "reason"),
    [
        (name_of(1), b"", "zero bytes"),
        (name_of(1), b"hello", "neither PNG nor JPEG"),
        (name_of(329), JPEG, "no line in the ground truth"),
        (name_of(0), JPEG, "no line in the ground truth"),
        ("ILSVRC2012_val_1.JPEG", JPEG, "not named like a validation image"),
        ("readme.txt", b"hello", "not named like a validation image"),
        ("n01440764_18.JPEG", JPEG, "not named like a validation image"),
    ],
)
def test_what_is_skipped_and_why(tmp_path: Path, name: str, image: bytes, reason: str) -> None:
    results = read_made(tmp_path, (name, image), (name_of(2), JPEG))
    assert Skipped(name, reason) in results
    assert sum(isinstance(result, Sample) for result in results) == 1


def test_a_name_that_is_no_utf8(tmp_path: Path, store: Store) -> None:
    foreign = (b"foreign_\xff.JPEG".decode(errors="surrogateescape"), JPEG)
    path = made_tar(tmp_path, (name_of(1), JPEG), foreign)
    manifest = build(open_val_tar(path, "val", KIT), store)
    assert [row.source_name for row in manifest.skipped] == ["foreign_\ufffd.JPEG"]


def test_a_png_under_a_jpeg_name_is_stored_as_png(tmp_path: Path, store: Store) -> None:
    image = encoded("PNG")
    [sample] = read_made(tmp_path, (name_of(1), image))
    assert (sample.header.suffix, sample.image) == ("png", image)
    build(open_val_tar(tmp_path, "val", KIT), store, "x")
    with tarfile.open(store.locate("x/made-test-000000.tar")) as tar:
        assert "ILSVRC2012_val_00000001.png" in tar.getnames()


def test_identity_moves_with_images_and_truth(tmp_path: Path) -> None:
    kits = [made_kit(tmp_path / str(i), truth) for i, truth in enumerate(("490\n1", "490\n2"))]
    tars = [
        made_tar(tmp_path / str(i), (name_of(1), JPEG), (name_of(2), encoded("JPEG", i)))
        for i in range(2)
    ]
    identities = {open_val_tar(tar, "val", kit).identity for tar in tars for kit in kits}
    assert len(identities) == 4
    moved = tars[0].rename(tmp_path / "moved.tar")
    assert open_val_tar(moved, "val", kits[0]).identity in identities


def test_notes_on_files_that_are_not_the_official_ones(real: TarSource) -> None:
    images, kit, present = real.notes
    assert images.startswith(f"{IMAGES} is not the official file: its MD5 is")
    assert kit.startswith(f"{DEVKIT}.tar.gz is not the official file")
    assert present == "328 of 1000 classes have entries"


def test_a_name_that_leads_elsewhere(tmp_path: Path) -> None:
    [sample] = read_made(tmp_path, (f"../../{name_of(1)}", JPEG))
    assert (sample.source_name, sample.label) == (name_of(1), 14)
    assert [path.name for path in tmp_path.iterdir()] == [IMAGES]
