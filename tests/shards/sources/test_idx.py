import gzip
import io
import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shards.errors import SourceError
from shards.sample import Sample, Skipped
from shards.sources.builtin import builtin_classes
from shards.sources.idx import IdxSource, open_idx, read_idx
from shards.sources.source import SourceSpec

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
needs_debian = pytest.mark.skipif(
    not DEBIAN.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed"
)
PIXELS = np.random.default_rng(5).integers(0, 256, (4, 28, 28), dtype=np.uint8)
LABELS = np.array([3, 0, 9, 3], np.uint8)


def idx(array: np.ndarray, kind: int = 0x08) -> bytes:
    head = bytes([0, 0, kind, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.tobytes()


def made(
    folder: Path,
    *,
    images: bytes = idx(PIXELS),
    labels: bytes = idx(LABELS),
    stem: str = "t10k",
    separator: str = "-",
    packed: bool = False,
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for kind, content in (("images{}idx3", images), ("labels{}idx1", labels)):
        name = f"{stem}-{kind.format(separator)}-ubyte{'.gz' if packed else ''}"
        (folder / name).write_bytes(gzip.compress(content) if packed else content)
    return folder


def opened(location: Path, split: str = "test", source: str = "mnist") -> IdxSource:
    return open_idx(SourceSpec.model_validate({"source": source, "location": location}), split)


def decoded(sample: Sample | Skipped) -> np.ndarray:
    assert isinstance(sample, Sample)
    with Image.open(io.BytesIO(sample.image)) as image:
        assert image.mode == "L"
        return np.asarray(image)


@needs_debian
class TestDebian:
    @pytest.mark.parametrize(("split", "stem", "count"), [("test", "t10k", 10000)])
    def test_all_pixels_and_labels(self, split: str, stem: str, count: int) -> None:
        source = opened(DEBIAN, split, "fashion-mnist")
        assert (len(source), source.layout) == (count, "fashion-mnist idx")
        assert source.classes == builtin_classes("fashion-mnist")
        pixels = gzip.decompress((DEBIAN / f"{stem}-images-idx3-ubyte.gz").read_bytes())[16:]
        labels = gzip.decompress((DEBIAN / f"{stem}-labels-idx1-ubyte.gz").read_bytes())[8:]
        samples = list(source.read(0, count))
        assert b"".join(decoded(sample).tobytes() for sample in samples) == pixels
        assert [sample.label for sample in samples] == list(labels) == source.labels()
        assert np.bincount(list(labels)).tolist() == [1000] * 10

    def test_train(self) -> None:
        source = opened(DEBIAN, "train", "fashion-mnist")
        assert len(source) == 60000
        assert np.bincount(source.labels()).tolist() == [6000] * 10
        last = list(source.read(59999, 60010))
        assert [sample.key for sample in last] == ["fashion-mnist_train_59999"]
        assert last[0].source_name == "train-images-idx3-ubyte[59999]"

    def test_debian_packed_it_again(self) -> None:
        notes = opened(DEBIAN, "test", "fashion-mnist").notes
        assert len(notes) == 2
        assert all("is not the official file: its MD5 is " in note for note in notes)
        assert str(DEBIAN) not in " ".join(notes)

    def test_unpacked_it_is_the_same_source(self, tmp_path: Path) -> None:
        for path in DEBIAN.glob("t10k*"):
            (tmp_path / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
        packed = opened(DEBIAN, "test", "fashion-mnist")
        unpacked = opened(tmp_path, "test", "fashion-mnist")
        assert unpacked.identity == packed.identity
        assert unpacked.layout == packed.layout
        assert list(unpacked.read(0, 50)) == list(packed.read(0, 50))
        assert unpacked.notes == ()


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("separator", ["-", "."])
@pytest.mark.parametrize("below", ["", "MNIST/raw", "raw"])
def test_names_that_people_have(tmp_path: Path, packed: bool, separator: str, below: str) -> None:
    made(tmp_path / below, packed=packed, separator=separator)
    source = opened(tmp_path)
    samples = list(source.read(0, 4))
    np.testing.assert_array_equal([decoded(sample) for sample in samples], PIXELS)
    assert [sample.label for sample in samples] == LABELS.tolist() == source.labels()
    assert [sample.key for sample in samples] == [f"mnist_test_{i:05d}" for i in range(4)]
    assert samples[1].source_name == f"t10k-images{separator}idx3-ubyte[1]"
    assert source.notes[-1] == "4 of the 10000 test images"


def test_torchvisions_root_holds_both(tmp_path: Path) -> None:
    made(tmp_path / "MNIST/raw")
    made(tmp_path / "FashionMNIST/raw", labels=idx(LABELS[::-1].copy()))
    assert opened(tmp_path).labels() == [3, 0, 9, 3]
    assert opened(tmp_path, source="fashion-mnist").labels() == [3, 9, 0, 3]


def test_splits(tmp_path: Path) -> None:
    made(tmp_path)
    made(tmp_path, stem="train", images=idx(PIXELS[:2]), labels=idx(LABELS[:2]))
    assert (len(opened(tmp_path)), len(opened(tmp_path, "train"))) == (4, 2)
    with pytest.raises(SourceError, match="mnist has the splits test and train, not 'val'"):
        opened(tmp_path, "val")


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nowhere: no t10k-images-idx3-ubyte\.gz here"):
        opened(tmp_path / "nowhere")
    made(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(SourceError, match=r"no t10k-labels-idx1-ubyte\.gz here"):
        opened(tmp_path)


def test_images_that_are_not_square(tmp_path: Path) -> None:
    pixels = PIXELS.reshape(4, 14, 56)
    (first, *_) = opened(made(tmp_path, images=idx(pixels))).read(0, 4)
    assert isinstance(first, Sample)
    assert (first.header.width, first.header.height) == (56, 14)
    np.testing.assert_array_equal(decoded(first), pixels[0])


def test_a_label_that_is_no_class(tmp_path: Path) -> None:
    source = opened(made(tmp_path, labels=idx(np.array([3, 10, 255, 3], np.uint8))))
    results = list(source.read(0, 4))
    assert results[1] == Skipped("t10k-images-idx3-ubyte[1]", "no such class: 10")
    assert source.labels() == [3, None, None, 3]
    assert [r.key for r in results if isinstance(r, Sample)] == [
        "mnist_test_00000",
        "mnist_test_00003",
    ]


@pytest.mark.parametrize(
    ("images", "fault"),
    [
        (b"", "its magic number is , not 00000803"),
        (b"<html>404</html>", "its magic number is 3c68746d, not 00000803"),
        (idx(PIXELS, 0x0D), "its magic number is 00000d03"),
        (idx(LABELS), "its magic number is 00000801"),
        (idx(PIXELS)[:10], "its magic number is"),
        (idx(PIXELS)[:-1], "3135 bytes where its header says 3136"),
        (idx(PIXELS) + b"\0", "more bytes where its header says 3136"),
        (idx(PIXELS[:, :0]), r"its header says \(4, 0, 28\)"),
        (b"\0\0\x08\x03" + b"\xff" * 12, r"its header says \(4294967295, "),
        (idx(PIXELS[:3]), "3 images for 4 labels in t10k-labels-idx1-ubyte"),
    ],
)
def test_a_damaged_file(tmp_path: Path, images: bytes, fault: str) -> None:
    with pytest.raises(SourceError, match=fault) as caught:
        opened(made(tmp_path, images=images))
    assert str(tmp_path / "t10k-images-idx3-ubyte") in str(caught.value)
    assert "again" in str(caught.value)


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "no gzip"])
def test_a_damaged_gzip(tmp_path: Path, damage: str) -> None:
    made(tmp_path, packed=True)
    path = tmp_path / "t10k-images-idx3-ubyte.gz"
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 0x55
    content = {"cut": raw[:-20], "flip": raw, "empty": b"", "no gzip": idx(PIXELS)}[damage]
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"t10k-images-idx3-ubyte\.gz: .*fetch it again"):
        opened(tmp_path)


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(idx(PIXELS) + bytes(50_000_000)))
    with pytest.raises(SourceError, match="more bytes where its header says 3136"):
        read_idx(path, 3)


def test_identities_move_with_what_they_cover(tmp_path: Path) -> None:
    before = opened(made(tmp_path / "a"))
    changed = LABELS.copy()
    changed[3] = 4
    after = opened(made(tmp_path / "b", labels=idx(changed)))
    again = opened(made(tmp_path / "c"))
    assert before.identity == again.identity != after.identity
    assert before.range_identity(0, 2) == after.range_identity(0, 2) == again.range_identity(0, 2)
    assert before.range_identity(2, 4) == again.range_identity(2, 4) != after.range_identity(2, 4)
    assert opened(tmp_path / "a", source="fashion-mnist").identity != before.identity


def test_a_source_travels_to_another_process(tmp_path: Path) -> None:
    source = opened(made(tmp_path))
    unread = pickle.loads(pickle.dumps(source))
    whole = list(source.read(0, 4))
    for copy in (unread, pickle.loads(pickle.dumps(source))):
        assert list(copy.read(0, 4)) == whole
        assert copy.identity == source.identity
    assert [sample for i in range(4) for sample in source.read(i, i + 1)] == whole


def test_a_file_that_changes_after_it_was_opened_ends_the_build(tmp_path: Path) -> None:
    source = opened(made(tmp_path))
    made(tmp_path, images=idx(PIXELS[::-1]))
    os.utime(tmp_path / "t10k-images-idx3-ubyte", ns=(1, 1))
    with pytest.raises(SourceError, match="t10k-images-idx3-ubyte changed since it was listed"):
        list(source.read(0, 4))
