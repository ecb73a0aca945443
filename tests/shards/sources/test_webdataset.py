import csv
import tarfile
import tracemalloc
from pathlib import Path

import pytest
import webdataset

from shards.errors import SourceError
from shards.sample import Sample, Skipped
from shards.sources.imagenet import open_imagenet
from shards.sources.source import SourceSpec
from shards.sources.webdataset_shards import find_shards
from shards.store import Store
from tests.shards.made import build, encoded
from tests.shards.sources.made_webdataset import (
    JPEG,
    PNG,
    kept,
    opened,
    packed,
    read,
    sample,
    written,
)
from tests.support.shared_data import SHARED, needs_shared

REAL = SHARED / "data/imagenet"


@needs_shared
def test_real_images_as_timm_has_them(tmp_path: Path) -> None:
    with (REAL / "manifest.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "val"][:30]
    with tarfile.open(REAL / "official/ILSVRC2012_img_val.tar") as tar:
        images = {m.name: tar.extractfile(m).read() for m in tar.getmembers()[:30]}
    for number in range(3):
        samples = [
            {
                "__key__": row["fixture_name"].removesuffix(".JPEG"),
                "jpg": images[row["fixture_name"]],
                "cls": int(row["class_index"]),
                "json": {"filename": row["fixture_name"], "width": 1, "label": 3, "tags": ["x"]},
            }
            for row in rows[number * 10 : number * 10 + 10]
        ]
        written(tmp_path / f"imagenet1k-validation-{number:02d}.tar", *samples)
    written(tmp_path / "imagenet1k-train-0000.tar", sample("n01440764_1", -1))
    spec = SourceSpec(source="imagenet", location=tmp_path)
    for split in ("val", "validation"):
        source = open_imagenet(spec, split)
        results = list(source.read(0, 99))
        assert len(source) == len(results) == 30
        for row, result in zip(rows, results, strict=True):
            assert isinstance(result, Sample)
            assert f"{result.key}.JPEG" == row["fixture_name"]
            assert result.image == images[row["fixture_name"]]
            assert result.label == int(row["class_index"])
            wnid = {"wnid": row["wnid"]}
            assert result.fields == {"filename": row["fixture_name"], "label": 3} | wnid
    assert source.notes == (
        "json fields with names of columns were left out: width",
        "json values that are no text or integer were left out: tags",
        "30 of 1000 classes have entries",
    )
    assert open_imagenet(spec, "train").labels() == [None]
    with pytest.raises(SourceError, match="has shards of train, validation, none of test"):
        open_imagenet(spec, "test")
    theirs = webdataset.WebDataset(
        [str(tar) for tar in find_shards(tmp_path, "val")], shardshuffle=False
    )
    assert [s["__key__"] for s in theirs] == [r.key for r in results if isinstance(r, Sample)]


def test_clip_benchmarks_convention(tmp_path: Path) -> None:
    for number in range(12):
        written(
            tmp_path / f"test/{number}.tar",
            {"__key__": f"s{number:07d}", "webp" if number == 3 else "png": PNG, "cls": number % 2},
        )
    written(tmp_path / "train/0.tar", sample("t"))
    (tmp_path / "test/nshards.txt").write_text("12")
    (tmp_path / "classnames.txt").write_text("crane\ncrane\n")
    source = opened(tmp_path)
    assert source.classes.names == ("crane", "crane")
    assert source.classes.ids == ("0", "1")
    assert source.labels() == [0, 1] * 6
    assert [r.key for r in read(source)] == [f"s{number:07d}" for number in range(12)]
    (tmp_path / "classnames.txt").write_text("ant\nbee\n\n")
    assert opened(tmp_path).classes.ids == ("ant", "bee")
    assert opened(tmp_path / "test", "anything").classes.ids == ("ant", "bee")
    (tmp_path / "test/7.tar").unlink()
    with pytest.raises(SourceError, match=r"nshards\.txt says 12 shards, 11 are there"):
        opened(tmp_path)


def test_our_own_shards_come_back_the_same(tmp_path: Path, store: Store) -> None:
    rows = [sample(f"s{i}", i % 3, encoded("PNG", i)) for i in range(7)]
    rows += [sample("u", None), sample("f", 2, camera="front", session=7), sample("v1", -1)]
    original = opened(written(tmp_path / "0.tar", *rows), classes=("ant", "bee", "cat"))
    first = build(original, store, "one")
    source = opened(tmp_path / "artifacts/one")
    assert source.classes == original.classes
    assert read(source) == read(original)
    second = build(source, store, "two")
    assert second.digests.images == first.digests.images
    assert second.digests.targets == first.digests.targets
    assert second.shardlist == first.shardlist
    assert second.unlabelled == 2
    assert not [note for note in source.notes if "left out" in note]
    (tmp_path / "artifacts/one/made-test-000001.tar").unlink()
    with pytest.raises(SourceError, match=r"made-test-000001\.tar of manifest\.json is missing"):
        opened(tmp_path / "artifacts/one")


def test_labels(tmp_path: Path) -> None:
    samples = [sample("a", 2), sample("b", -1), sample("c", None), sample("d", -7), sample("e", 9)]
    samples += [sample("f") | {"cls": b"x"}, sample("g") | {"cls": b" 1\n"}, sample("h", 1 << 40)]
    written(tmp_path / "0.tar", *samples)
    source = opened(tmp_path, classes=("ant", "bee", "cat"))
    assert kept(source) == {"a": 2, "b": None, "c": None, "g": 1}
    assert [r.reason for r in read(source) if isinstance(r, Skipped)] == [
        "no such class: -7",
        "no such class: 9",
        "its cls is no number",
        f"no such class: {1 << 40}",
    ]
    assert source.labels() == [2, None, None, None, None, None, 1, None]
    assert len(opened(tmp_path).classes) == 10
    assert len(opened(tmp_path, classes="mnist").classes) == 10


def test_each_key_once(tmp_path: Path) -> None:
    written(tmp_path / "0.tar", sample("a", 0), sample("b", 0), sample("a", 1))
    written(tmp_path / "1.tar", sample("b", 1), sample("x/a", 2), sample("c", 2))
    source = opened(tmp_path)
    assert kept(source) == {"a": 0, "b": 0, "x_a": 2, "c": 2}
    assert [r for r in read(source) if isinstance(r, Skipped)] == [
        Skipped("a.jpg", "duplicate key"),
        Skipped("b.jpg", "duplicate key"),
    ]


def test_odd_members(tmp_path: Path) -> None:
    link = tarfile.TarInfo("l.jpg")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    packed(
        tmp_path / "0.tar",
        ("../../up.JPG", JPEG),
        ("../../up.CLS", b"1"),
        ("v1.seg.png", PNG),
        ("v1.jpg", JPEG),
        ("bare", b"x"),
        (".hidden.jpg", JPEG),
        link,
        ("two.jpg", JPEG),
        ("two.png", PNG),
        ("none.cls", b"1"),
        ("twice.jpg", JPEG),
        ("twice.jpg", JPEG),
        ("png.jpeg", PNG),
        ("zero.jpg", b""),
        ("Käfer.jpg", JPEG),
    )
    source = opened(tmp_path)
    results = read(source)
    samples = {r.key: r for r in results if isinstance(r, Sample)}
    assert {key: s.label for key, s in samples.items()} == {
        "up": 1,
        "v1": None,
        "png": None,
        "K_fer": None,
    }
    assert samples["png"].header.suffix == "png"
    assert samples["up"].source_name == "up.JPG"
    assert [r for r in results if isinstance(r, Skipped)] == [
        Skipped("bare", "not named key.field"),
        Skipped(".hidden.jpg", "not named key.field"),
        Skipped("l.jpg", "not a regular file"),
        Skipped("two.jpg", "2 images: jpg, png"),
        Skipped("none.cls", "no image"),
        Skipped("twice.jpg", "two members jpg"),
        Skipped("zero.jpg", "zero bytes"),
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["0.tar"]


def test_fields_of_mixed_kinds_become_one_kind(tmp_path: Path, store: Store) -> None:
    written(
        tmp_path / "0.tar",
        sample("a") | {"json": {"a": 1, "b": 1, "c": True, "d": 1 << 70, "e": None, "key": "x"}},
        sample("b", a="one", b=2, c=False, d=3),
        sample("c") | {"json": b"{"},
        sample("d") | {"json": b"[1]"},
        sample("e", text="x" * 9000),
    )
    source = opened(tmp_path)
    assert [dict(r.fields) for r in read(source) if isinstance(r, Sample)] == [
        {"a": "1", "b": 1},
        {"a": "one", "b": 2, "d": 3},
        {},
        {},
        {"text": "x" * 9000},
    ]
    assert source.notes == (
        "json fields with names of columns were left out: key",
        "json values that are no text or integer were left out: c, d",
        "json of 2 samples cannot be read",
    )
    assert build(source, store).samples == 5


def test_small_images_are_not_held_while_listing(tmp_path: Path) -> None:
    image = PNG.ljust(3000, b"\0")
    packed(tmp_path / "0.tar", *[(f"{i}.png", image) for i in range(3000)])
    tracemalloc.start()
    source = opened(tmp_path)
    held, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(source) == 3000
    assert held < 1 << 20
    assert most < 5 << 20


def test_json_is_not_trusted(tmp_path: Path) -> None:
    deep = b'{"a":' * 50_000
    written(tmp_path / "0.tar", sample("a") | {"json": deep}, sample("b", source_name="n\ud800"))
    names = [r.source_name for r in read(opened(tmp_path)) if isinstance(r, Sample)]
    assert names == ["a.jpg", "n\ufffd"]
