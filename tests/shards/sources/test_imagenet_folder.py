import csv
import hashlib
import io
import os
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shards.errors import SourceError
from shards.sample import Sample, Skipped
from shards.sources.folder import FolderSource
from shards.sources.imagenet import open_imagenet
from shards.sources.imagenet_folder import SOLUTION
from shards.sources.imagenet_train import TRAIN_IMAGES
from shards.sources.imagenet_val import DEVKIT, IMAGES
from shards.sources.source import Source, SourceSpec
from shards.store import Store
from tests.shards.made import build, encoded, pixels
from tests.support.shared_data import SHARED, needs_shared

REAL = SHARED / "data/imagenet"
KAGGLE = REAL / "kaggle_cls_loc"
JPEG = encoded("JPEG")


def opened(location: Path, split: str, **options: object) -> Source:
    raw = {"source": "imagenet", "location": location, **options}
    return open_imagenet(SourceSpec.model_validate(raw), split)


def read(source: Source) -> list[Sample | Skipped]:
    results = list(source.read(0, len(source)))
    assert len(results) == len(source) == len(source.labels())
    for result, label in zip(results, source.labels(), strict=True):
        assert isinstance(result, Skipped) or result.label == label
    return results


@pytest.fixture(scope="module")
def table() -> dict[str, dict[str, str]]:
    with (REAL / "manifest.csv").open() as file:
        return {row["fixture_name"]: row for row in csv.DictReader(file)}


def check_against(table: dict[str, dict[str, str]], results: list[Sample | Skipped]) -> None:
    for sample in results:
        assert isinstance(sample, Sample)
        row = table[f"{sample.key}.JPEG"]
        assert sample.label == int(row["class_index"])
        assert sample.fields == {"wnid": row["wnid"]}
        assert hashlib.sha256(sample.image).hexdigest() == row["sha256"]


@needs_shared
class TestReal:
    @pytest.mark.parametrize(
        ("location", "split", "entries"),
        [
            ("kaggle_cls_loc", "val", 40),
            ("kaggle_cls_loc", "validation", 40),
            ("kaggle_cls_loc", "train", 6),
            ("kaggle_cls_loc/ILSVRC", "val", 40),
            ("kaggle_cls_loc/ILSVRC/Data/CLS-LOC", "val", 40),
            ("hf_parquet", "val", 60),
            ("hf_parquet/data", "validation", 60),
            ("official", "val", 328),
            (f"official/{IMAGES}", "val", 328),
            ("official", "train", 24),
        ],
    )
    def test_every_layout_has_the_labels_of_the_table(
        self, table: dict[str, dict[str, str]], location: str, split: str, entries: int
    ) -> None:
        source = opened(REAL / location, split)
        assert len(source) == entries
        check_against(table, read(source))
        assert len(source.classes) == 1000
        assert source.classes.names[360] == "otter"
        assert f"{len(set(source.labels()))} of 1000 classes have entries" in source.notes or (
            "parquet" in source.layout
        )
        for text in (source.layout, *source.notes):
            assert str(SHARED) not in text

    def test_layouts_that_hold_the_same_images_are_the_same_shards(
        self, tmp_path: Path, store: Store
    ) -> None:
        for tar, folder in ((IMAGES, "flat"), (TRAIN_IMAGES, "train")):
            with tarfile.open(REAL / "official" / tar) as archive:
                archive.extractall(tmp_path / folder, filter="data")
        for inner in list((tmp_path / "train").iterdir()):
            with tarfile.open(inner) as archive:
                archive.extractall(inner.with_suffix(""), filter="data")
            inner.unlink()
        kit = REAL / "official" / f"{DEVKIT}.tar.gz"
        flat = opened(tmp_path / "flat", "val", devkit=kit)
        assert flat.layout == "imagenet official val folder"
        one = build(flat, store, "one")
        two = build(opened(REAL / "official", "val"), store, "two")
        assert one.shardlist == two.shardlist
        by_id = opened(tmp_path, "train")
        assert by_id.layout == "imagenet folder per WordNet id"
        three = build(by_id, store, "three")
        four = build(opened(REAL / "official", "train"), store, "four")
        assert three.shardlist == four.shardlist

    def test_a_flat_folder_needs_the_kit(self, tmp_path: Path) -> None:
        (tmp_path / "val").mkdir()
        (tmp_path / "val/ILSVRC2012_val_00000001.JPEG").write_bytes(JPEG)
        with pytest.raises(SourceError, match="name it as `devkit`"):
            opened(tmp_path, "val")
        shutil.copy(REAL / "official" / f"{DEVKIT}.tar.gz", tmp_path)
        [sample] = read(opened(tmp_path, "val"))
        assert isinstance(sample, Sample)
        assert sample.label == 14

    def test_kaggle_says_what_does_not_fit(self, tmp_path: Path) -> None:
        shutil.copytree(KAGGLE, tmp_path / "k")
        inside = tmp_path / "k/ILSVRC/Data/CLS-LOC/val"
        (inside / "ILSVRC2012_val_00000047.JPEG").unlink()
        (inside / "extra.JPEG").write_bytes(JPEG)
        (inside / "notes.txt").write_text("hello")
        solution = tmp_path / "k" / SOLUTION
        solution.write_text(solution.read_text().replace("n02102177 0", "n99999999 0", 1))
        source = opened(tmp_path / "k", "val")
        assert [r for r in read(source) if isinstance(r, Skipped)] == [
            Skipped("ILSVRC2012_val_00000299.JPEG", "no such class: n99999999"),
            Skipped("extra.JPEG", f"no line in {SOLUTION}"),
            Skipped("notes.txt", "not named like an image"),
        ]
        note = f"1 lines of {SOLUTION} have no image, e.g. ILSVRC2012_val_00000047"
        assert note in source.notes
        for text in ("", "a,b\n1,2\n", "ImageId,PredictionString\nx,\n", "ImageId\nx\n"):
            solution.write_text(text)
            if text:
                with pytest.raises(SourceError, match=f"{SOLUTION}, which labels the val images"):
                    opened(tmp_path / "k", "val")
        solution.unlink()
        with pytest.raises(SourceError, match=f"put Kaggle's {SOLUTION} there"):
            opened(tmp_path / "k", "val")
        with pytest.raises(SourceError, match="its splits are train, val and test"):
            opened(tmp_path / "k", "night")

    def test_kaggles_test_split_is_unlabelled(self, tmp_path: Path, store: Store) -> None:
        folder = tmp_path / "ILSVRC/Data/CLS-LOC/test"
        folder.mkdir(parents=True)
        (folder / "ILSVRC2012_test_00000001.JPEG").write_bytes(JPEG)
        assert build(opened(tmp_path, "test"), store).unlabelled == 1


def made(root: Path, *names: str, image: bytes = JPEG) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(image)
        os.utime(root / name, ns=(0, 0))
    return root


def test_a_subset_keeps_the_index_among_a_thousand(tmp_path: Path, store: Store) -> None:
    made(
        tmp_path, "val/n15075141/a.JPEG", "val/n01440764/b.JPEG", "val/otter/c.JPEG", "val/7/d.JPEG"
    )
    made(tmp_path, "train/n01443537/e.JPEG", "val/README.txt", "val/loose.JPEG")
    source = opened(tmp_path, "val")
    results = read(source)
    assert {r.key: r.label for r in results if isinstance(r, Sample)} == {"a": 999, "b": 0}
    assert [r for r in results if isinstance(r, Skipped)] == [
        Skipped("7/d.JPEG", "no such class: 7"),
        Skipped("README.txt", "not named like an image"),
        Skipped("loose.JPEG", "in no class's folder"),
        Skipped("otter/c.JPEG", "no such class: otter"),
    ]
    assert source.notes == ("2 of 1000 classes have entries",)
    manifest = build(source, store)
    assert [i for i, count in enumerate(manifest.class_counts) if count] == [0, 999]
    assert source.labels() == [None, None, None, 0, 999, None]
    assert opened(tmp_path, "validation").identity == source.identity
    assert opened(tmp_path / "val", "test").identity == source.identity
    assert opened(tmp_path, "train").labels() == [1]


def test_a_range_moves_with_its_files_alone(tmp_path: Path) -> None:
    made(tmp_path, *(f"n01440764/{i}.JPEG" for i in range(6)))
    before = opened(tmp_path, "val")
    made(tmp_path, "n01440764/4.JPEG", image=JPEG + b"\0")
    made(tmp_path, "n15075141/new.JPEG")
    after = opened(tmp_path, "val")
    assert before.identity != after.identity
    assert before.range_identity(0, 4) == after.range_identity(0, 4)
    assert before.range_identity(4, 5) != after.range_identity(4, 5)
    assert before.range_identity(5, 6) == after.range_identity(5, 6)


def jpeg(array: np.ndarray, mode: str, **options: object) -> bytes:
    sink = io.BytesIO()
    Image.fromarray(array, mode).save(sink, "JPEG", **options)
    return sink.getvalue()


def png16() -> bytes:
    sink = io.BytesIO()
    Image.fromarray(np.arange(20, dtype=np.uint16).reshape(4, 5) * 3000).save(sink, "PNG")
    return sink.getvalue()


def exif(orientation: int) -> bytes:
    facts = Image.Exif()
    facts[0x0112] = orientation
    return facts.tobytes()


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated")
def test_odd_images_are_kept_as_they_are(tmp_path: Path, store: Store) -> None:
    whole = encoded("JPEG", size=(64, 48))
    cmyk = np.random.default_rng(0).integers(0, 256, (4, 5, 4), dtype=np.uint8)
    odd = {
        "png_under_jpeg_name.JPEG": encoded("PNG"),
        "cmyk.JPEG": jpeg(cmyk, "CMYK"),
        "grey.JPEG": jpeg(pixels(0)[:, :, 0].copy(), "L"),
        "sixteen.png": png16(),
        "rotated.JPEG": jpeg(pixels(1), "RGB", exif=exif(6)),
        "truncated.JPEG": whole[: len(whole) - 300],
        "no_end.JPEG": whole[:-2],
        "v1.2.final.JPEG": whole,
        "Käfer.JPEG": whole,
    }
    for name, image in odd.items():
        made(tmp_path, f"n01440764/{name}", image=image)
    made(tmp_path, "n01440764/no_header.JPEG", image=whole[:100])
    made(tmp_path, "n01440764/zero.JPEG", image=b"")
    source = opened(tmp_path, "val")
    assert isinstance(source, FolderSource)
    results = read(source)
    samples = {r.source_name[10:]: r for r in results if isinstance(r, Sample)}
    assert {name: sample.image for name, sample in samples.items()} == odd
    assert samples["png_under_jpeg_name.JPEG"].header.suffix == "png"
    rotated = samples["rotated.JPEG"].header
    assert (rotated.width, rotated.height) == (5, 4)
    assert (samples["v1.2.final.JPEG"].key, samples["Käfer.JPEG"].key) == ("v1_2_final", "K_fer")
    skipped = {r.source_name[10:]: r.reason for r in results if isinstance(r, Skipped)}
    assert skipped["zero.JPEG"] == "zero bytes"
    assert skipped["no_header.JPEG"].startswith("unreadable header")
    assert len(skipped) == 2
    manifest = build(source, store, "x")
    assert (manifest.samples, manifest.entries) == (len(odd), len(odd) + 2)
