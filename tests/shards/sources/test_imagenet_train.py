import csv
import hashlib
import os
import pickle
import resource
import tarfile
import time
from pathlib import Path

import pytest

from shards.errors import SourceError
from shards.sample import Sample, Skipped
from shards.sources.imagenet import open_imagenet
from shards.sources.imagenet_train import TRAIN_IMAGES, open_train_tar
from shards.sources.source import SourceSpec
from shards.sources.tar_source import TarSource
from shards.store import Store
from tests.shards.made import build, encoded, tar_of
from tests.support.shared_data import SHARED, needs_shared

REAL = SHARED / "data/imagenet"
JPEG = encoded("JPEG")


def made(tmp_path: Path, *members: tuple[str, bytes]) -> Path:
    path = tmp_path / TRAIN_IMAGES
    path.write_bytes(tar_of(*members))
    return path


def read(path: Path) -> list[Sample | Skipped]:
    source = open_train_tar(path)
    results = list(source.read(0, len(source)))
    assert len(results) == len(source) == len(source.labels())
    return results


@needs_shared
def test_the_24_real_images() -> None:
    spec = SourceSpec(source="imagenet", location=REAL / "official")
    source = open_imagenet(spec, "train")
    assert isinstance(source, TarSource)
    with (REAL / "manifest.csv").open() as file:
        rows = {r["fixture_name"]: r for r in csv.DictReader(file) if r["split"] == "train"}
    samples = [sample for sample in source.read(0, 24) if isinstance(sample, Sample)]
    assert len(source) == len(samples) == len(rows) == 24
    for sample in samples:
        row = rows[f"{sample.key}.JPEG"]
        assert sample.source_name == f"{row['wnid']}/{row['fixture_name']}"
        assert sample.label == int(row["class_index"])
        assert sample.fields == {"wnid": row["wnid"]}
        assert hashlib.sha256(sample.image).hexdigest() == row["sha256"]
    assert [sample.label for sample in samples] == source.labels() == sorted(source.labels())
    assert source.notes[0].startswith(f"{TRAIN_IMAGES} is not the official file: its MD5 is")
    assert source.notes[1] == "24 of 1000 classes have entries"
    assert source.layout == "imagenet official train tar"
    assert str(SHARED) not in source.layout + " ".join(source.notes)
    copy = pickle.loads(pickle.dumps(source))
    assert list(copy.read(20, 99)) == samples[20:]
    direct = SourceSpec(source="imagenet", location=REAL / "official" / TRAIN_IMAGES)
    assert open_imagenet(direct, "train").identity == source.identity


def test_classes_have_their_index_among_a_thousand(tmp_path: Path, store: Store) -> None:
    path = made(
        tmp_path,
        ("n15075141.tar", tar_of(("n15075141_1.JPEG", JPEG))),
        ("n01440764.tar", tar_of(("n01440764_2.JPEG", JPEG), ("n01440764_1.JPEG", JPEG))),
        ("n99999999.tar", tar_of(("n99999999_1.JPEG", JPEG))),
        ("readme.txt", b"hello"),
    )
    results = read(path)
    assert [(r.key, r.label) for r in results if isinstance(r, Sample)] == [
        ("n01440764_1", 0),
        ("n01440764_2", 0),
        ("n15075141_1", 999),
    ]
    assert Skipped("n99999999/n99999999_1.JPEG", "no such class: n99999999") in results
    assert Skipped("readme.txt", "not a tar of a class") in results
    manifest = build(open_train_tar(path), store)
    assert (manifest.entries, manifest.samples, len(manifest.class_ids)) == (5, 3, 1000)


def test_odd_members(tmp_path: Path) -> None:
    link = tarfile.TarInfo("link.JPEG")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    path = made(
        tmp_path,
        (
            "n01440764.tar",
            tar_of(
                ("../../escape.JPEG", JPEG),
                ("a.JPEG", JPEG),
                ("a.JPEG", JPEG),
                link,
                ("v1.2.JPEG", JPEG),
                ("zero.JPEG", b""),
            ),
        ),
        ("n01443537.tar", tar_of(("a.JPEG", encoded("PNG")))),
    )
    results = read(path)
    samples = {r.key: r for r in results if isinstance(r, Sample)}
    assert list(samples) == ["n01440764_a", "escape", "v1_2", "n01443537_a"]
    assert samples["escape"].source_name == "n01440764/escape.JPEG"
    assert samples["n01443537_a"].header.suffix == "png"
    assert [r for r in results if isinstance(r, Skipped)] == [
        Skipped("n01440764/a.JPEG", "duplicate name"),
        Skipped("n01440764/link.JPEG", "not a regular file"),
        Skipped("n01440764/zero.JPEG", "zero bytes"),
    ]
    assert [p.name for p in tmp_path.iterdir()] == [TRAIN_IMAGES]


def test_a_cut_outer_and_a_cut_inner_tar(tmp_path: Path) -> None:
    inner = tar_of(("a.JPEG", JPEG.ljust(2000, b"\0")), ("b.JPEG", JPEG))
    path = made(tmp_path, ("n01440764.tar", inner), ("n01443537.tar", inner))
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) // 2])
    with pytest.raises(SourceError, match=f"{TRAIN_IMAGES}: cut short"):
        read(path)
    for kept in (0, 512, 1500, 2560, 2600):
        made(tmp_path, ("n01440764.tar", inner), ("n01443537.tar", inner[:kept]))
        with pytest.raises(SourceError, match=rf"{TRAIN_IMAGES}: n01443537\.tar: cut short"):
            read(path)
    made(tmp_path, ("n01440764.tar", inner[:600] + b"\1" * 1500 + inner[2100:]))
    assert len(read(path)) == 2  # nothing in a tar says what its files were
    made(tmp_path, ("n01440764.tar", inner[:2560] + b"\1" + inner[2561:]))
    with pytest.raises(SourceError, match=r"damaged after 1 files"):
        read(path)


def test_no_tar_of_tars(tmp_path: Path) -> None:
    path = made(tmp_path, ("n01440764/a.JPEG", JPEG))
    with pytest.raises(SourceError, match="holds no tars of classes; point `location` at"):
        open_train_tar(path)
    path = made(tmp_path, ("n01440764.tar", tar_of(("a.JPEG", JPEG))))
    with pytest.raises(SourceError, match="has the split train, not 'val'"):
        open_imagenet(SourceSpec(source="imagenet", location=path), "val")


def test_a_tar_that_shrinks_after_it_was_listed(tmp_path: Path) -> None:
    path = made(tmp_path, ("n01440764.tar", tar_of(("a.JPEG", JPEG))))
    source = open_train_tar(path)
    os.truncate(path, 1100)
    with pytest.raises(SourceError, match="changed since it was listed"):
        list(source.read(0, 1))


def test_a_sparse_tar_of_20_gb_is_listed_in_no_time_and_memory(tmp_path: Path) -> None:
    """40 inner tars of 100 images of 5 MB, all holes but the headers."""
    path = tmp_path / TRAIN_IMAGES
    size, count = 5 << 20, 100
    inner_size = count * (512 + size) + 1024
    wnids = [f"n{1440764 + i:08d}" for i in range(40)]
    with path.open("wb") as file:
        for wnid in wnids:
            outer = tarfile.TarInfo(f"{wnid}.tar")
            outer.size = inner_size
            file.write(outer.tobuf(tarfile.GNU_FORMAT))
            for number in range(count):
                info = tarfile.TarInfo(f"{wnid}_{number}.JPEG")
                info.size = size
                file.write(info.tobuf(tarfile.GNU_FORMAT))
                if number == 0:
                    file.write(JPEG)
                    file.seek(size - len(JPEG), os.SEEK_CUR)
                else:
                    file.seek(size, os.SEEK_CUR)
            file.seek(1024, os.SEEK_CUR)
        file.truncate(file.tell() + 1024)
    facts = path.stat()
    if facts.st_blocks * 512 > facts.st_size // 10:
        pytest.skip("the file system has no sparse files")
    assert facts.st_size > 20e9
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    source = open_train_tar(path)
    seconds = time.perf_counter() - started
    assert len(source) == 4000
    first = next(source.read(0, 1))
    assert isinstance(first, Sample)
    assert (first.key, first.label, len(first.image)) == ("n01440764_0", 0, size)
    assert len(list(source.read(95, 105))) == 10
    assert seconds < 5
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10 < 200
