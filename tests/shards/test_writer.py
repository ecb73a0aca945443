import hashlib
import io
import json
import os
import subprocess
import tarfile
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import webdataset
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from shards.image import encode_png, read_header
from shards.sample import Sample
from shards.sources.cifar import CifarSource
from shards.writer import _header, write_tar
from tests.shards.made import encoded, made_sample
from tests.support.shared_data import SHARED, needs_shared

SAMPLES = [
    made_sample(0, 2, camera="front", session=7),
    made_sample(1, None),
    Sample("photo", encoded("JPEG"), read_header(encoded("JPEG")), 0, "Käfer/1.2.JPG"),
]


def tar_of(samples) -> bytes:
    sink = io.BytesIO()
    written = write_tar(sink, samples)
    tar = sink.getvalue()
    assert written.size == len(tar)
    assert written.sha256 == hashlib.sha256(tar).hexdigest()
    return tar


def read_by_webdataset(path: Path) -> list[dict]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        return list(webdataset.WebDataset(str(path), shardshuffle=False))


def test_members_by_pythons_tarfile() -> None:
    with tarfile.open(fileobj=io.BytesIO(tar_of(SAMPLES))) as tar:
        members = {member.name: member for member in tar}
        content = {name: tar.extractfile(name).read() for name in members}
    assert list(members) == [
        *("made_000.json", "made_000.cls", "made_000.png"),
        *("made_001.json", "made_001.png"),
        *("photo.json", "photo.cls", "photo.jpg"),
    ]
    assert content["made_000.cls"] == b"2"
    assert content["photo.jpg"] == SAMPLES[2].image
    assert json.loads(content["made_000.json"]) == {
        "source_name": "0.png",
        "camera": "front",
        "session": 7,
    }
    assert json.loads(content["photo.json"])["source_name"] == "Käfer/1.2.JPG"


def test_members_say_nothing_of_their_writer() -> None:
    with tarfile.open(fileobj=io.BytesIO(tar_of(SAMPLES))) as tar:
        for member in tar:
            assert (member.mtime, member.uid, member.gid) == (0, 0, 0)
            assert (member.uname, member.gname, member.mode) == ("", "", 0o644)
            assert member.isreg()


def test_placed_points_at_the_image() -> None:
    sink = io.BytesIO()
    written = write_tar(sink, SAMPLES)
    for placed, sample in zip(written.placed, SAMPLES, strict=True):
        image = sink.getvalue()[placed.offset :][: placed.length]
        assert image == sample.image
        assert (placed.key, placed.source_name) == (sample.key, sample.source_name)
        assert (placed.label, placed.header) == (sample.label, sample.header)
        assert placed.fields == sample.fields
        assert placed.sha256 == hashlib.sha256(image).digest()
        assert placed.crc32 == zlib.crc32(image)


@given(st.lists(st.binary(min_size=1, max_size=1500), max_size=6))
def test_any_size_of_image_comes_back(images: list[bytes]) -> None:
    header = SAMPLES[0].header
    samples = [Sample(f"k{i}", image, header, i, f"{i}") for i, image in enumerate(images)]
    tar = tar_of(samples)
    assert len(tar) % tarfile.BLOCKSIZE == 0
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
        found = [opened.extractfile(name).read() for name in opened.getnames() if "png" in name]
    assert found == images


def test_no_samples_make_an_empty_tar() -> None:
    with tarfile.open(fileobj=io.BytesIO(tar_of([]))) as tar:
        assert tar.getnames() == []


def test_the_longest_key_fits(tmp_path: Path) -> None:
    header = SAMPLES[0].header
    path = tmp_path / "long.tar"
    path.write_bytes(tar_of([Sample("x" * 90, SAMPLES[0].image, header, 1, "x")]))
    [sample] = read_by_webdataset(path)
    assert sample["__key__"] == "x" * 90


def test_equal_samples_give_equal_bytes_in_another_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tar_of(SAMPLES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    mask = os.umask(0o077)
    try:
        assert tar_of(iter(SAMPLES)) == before
    finally:
        os.umask(mask)


def test_the_bytes_of_a_tar_are_fixed() -> None:
    # If this moves, raise WRITER_REVISION.
    image = encode_png(np.arange(24, dtype=np.uint8).reshape(2, 4, 3))
    sample = Sample("golden", image, read_header(image), 2, "Käfer.png", {"session": 7})
    assert hashlib.sha256(tar_of([sample])).hexdigest() == (
        "a739403f59a0db9a7fa5caeb42b107d2979dee93b35b09b3cd30a1e25df5864f"
    )


@needs_shared
def test_other_readers_agree_on_real_images(tmp_path: Path) -> None:
    source = CifarSource.open(SHARED / "data/cifar10", "test")
    samples = list(source.read(0, 200))
    path = tmp_path / "cifar10-test-000000.tar"
    path.write_bytes(tar_of(samples))

    listed = subprocess.run(["tar", "tf", path], capture_output=True, text=True, check=True)
    assert listed.stderr == ""
    assert listed.stdout.split() == [
        f"{sample.key}.{ext}" for sample in samples for ext in ("json", "cls", "png")
    ]

    read = read_by_webdataset(path)
    assert [found["__key__"] for found in read] == [sample.key for sample in samples]
    assert [int(found["cls"]) for found in read] == [sample.label for sample in samples]
    assert [found["png"] for found in read] == [sample.image for sample in samples]
    names = [json.loads(found["json"])["source_name"] for found in read]
    assert names == [sample.source_name for sample in samples]

    decoded = (
        webdataset.WebDataset(str(path), shardshuffle=False).decode("pil").to_tuple("png", "cls")
    )
    image, label = next(iter(decoded))
    with Image.open(io.BytesIO(samples[0].image)) as opened:
        np.testing.assert_array_equal(np.asarray(image), np.asarray(opened))
    assert label == samples[0].label


@given(
    name=st.text("abcXYZ019_-.", min_size=1, max_size=100),
    size=st.integers(min_value=0, max_value=8**11 - 1),
)
def test_headers_are_those_of_tarfile(name: str, size: int) -> None:
    info = tarfile.TarInfo(name)
    info.size = size
    assert _header(name, size) == info.tobuf(tarfile.USTAR_FORMAT)


@pytest.mark.parametrize(("name", "size"), [("x" * 101, 1), ("x", 8**11)])
def test_what_does_not_fit_a_header_is_refused(name: str, size: int) -> None:
    with pytest.raises(ValueError, match="does not fit into a ustar header"):
        _header(name, size)
