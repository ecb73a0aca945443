import gzip
import hashlib
import io
import pickle
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from shards.errors import SourceError
from shards.reader import ShardedSplit
from shards.recipe import recipe_for
from shards.sample import Sample, Skipped
from shards.sources.builtin import CIFAR10_CLASSES, CIFAR100_CLASSES, CIFAR100_COARSE
from shards.sources.cifar import CifarSource, open_cifar
from shards.sources.cifar_layouts import ARCHIVE, BATCHES, CIFAR100, FOLDER
from shards.sources.cifar_python import parse_batch
from shards.sources.source import Source, SourceSpec
from shards.store import Store
from tests.shards.made import build, encoded
from tests.support.shared_data import SHARED, needs_shared

REAL = SHARED / "data/cifar10"
ROW = 3072
BINARY_ARCHIVE = "cifar-10-binary.tar.gz"


def made_batch(rows: int = 4, seed: int = 0, **changes: Any) -> bytes:
    rng = np.random.default_rng(seed)
    content: dict[bytes, Any] = {
        b"batch_label": b"testing batch 1 of 1",
        b"labels": [row % 10 for row in range(rows)],
        b"data": rng.integers(0, 256, (rows, ROW), dtype=np.uint8),
        b"filenames": [f"made_s_{row:06d}.png".encode() for row in range(rows)],
    }
    content |= {name.encode(): value for name, value in changes.items()}
    return pickle.dumps(content, protocol=2)


def made_rows(rows: int, label_bytes: int, seed: int = 0) -> bytes:
    rng = np.random.default_rng(seed)
    table = rng.integers(0, 256, (rows, label_bytes + ROW), dtype=np.uint8)
    table[:, :label_bytes] = np.arange(rows)[:, None] % 10
    return table.tobytes()


def made_archive(path: Path, batches: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in batches.items():
            info = tarfile.TarInfo(f"{FOLDER}/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def made_folder(path: Path, batches: dict[str, bytes]) -> Path:
    path.mkdir(parents=True)
    for name, content in batches.items():
        (path / name).write_bytes(content)
    return path


def opened(location: Path, split: str = "test", source: str = "cifar10") -> Source:
    spec = SourceSpec.model_validate({"source": source, "location": location})
    return open_cifar(spec, split)


def decoded(samples: Iterable[Sample | Skipped]) -> np.ndarray:
    images = []
    for sample in samples:
        assert isinstance(sample, Sample)
        with Image.open(io.BytesIO(sample.image)) as opened:
            images.append(np.asarray(opened))
    return np.stack(images)


@pytest.fixture(scope="module")
def binary() -> tuple[np.ndarray, list[int]]:
    """Pixels and labels of the first 1,000 test images, from the layout without pickles."""
    with tarfile.open(REAL / "cifar-10-binary.tar.gz") as tar:
        raw = tar.extractfile("cifar-10-batches-bin/test_batch.bin").read()
    rows = np.frombuffer(raw, np.uint8).reshape(-1, 1 + ROW)
    return rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), rows[:, 0].tolist()


@pytest.fixture(scope="module")
def test_split() -> CifarSource:
    return CifarSource.open(REAL, "test")


@needs_shared
class TestReal:
    def test_pixels_and_labels_are_those_of_the_binary_layout(
        self, test_split: CifarSource, binary: tuple[np.ndarray, list[int]]
    ) -> None:
        samples = list(test_split.read(0, 1000))
        np.testing.assert_array_equal(decoded(samples), binary[0])
        assert [sample.label for sample in samples] == binary[1]

    def test_pixels_are_those_of_the_hugging_face_copy(self, test_split: CifarSource) -> None:
        table = pq.read_table(next((REAL / "hf_parquet/plain_text").glob("test-*.parquet")))
        samples = list(test_split.read(0, table.num_rows))
        assert [sample.label for sample in samples] == table["label"].to_pylist()
        for sample, row in zip(samples, table["img"].to_pylist(), strict=True):
            with Image.open(io.BytesIO(row["bytes"])) as theirs:
                np.testing.assert_array_equal(decoded([sample])[0], np.asarray(theirs))

    def test_all_10000_images_equal_the_batch(self, test_split: CifarSource) -> None:
        with tarfile.open(REAL / ARCHIVE) as tar:
            raw = tar.extractfile(f"{FOLDER}/test_batch").read()
        batch = pickle.loads(raw, encoding="bytes")
        samples = list(test_split.read(0, len(test_split)))
        expected = batch[b"data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        np.testing.assert_array_equal(decoded(samples), expected)
        assert [sample.label for sample in samples] == batch[b"labels"]
        assert [sample.source_name.encode() for sample in samples] == batch[b"filenames"]
        assert [sample.key for sample in samples] == [f"cifar10_test_{i:05d}" for i in range(10000)]
        assert np.bincount([sample.label for sample in samples]).tolist() == [1000] * 10

    def test_train_is_the_five_batches_in_order(self) -> None:
        train = CifarSource.open(REAL, "train")
        assert len(train) == 5000
        with tarfile.open(REAL / ARCHIVE) as tar:
            labels = [
                label
                for name in BATCHES["train"]
                for label in pickle.loads(
                    tar.extractfile(f"{FOLDER}/{name}").read(), encoding="bytes"
                )[b"labels"]
            ]
        assert [sample.label for sample in train.read(0, 5000)] == labels

    def test_packed_and_unpacked_are_one_source(
        self, tmp_path: Path, test_split: CifarSource
    ) -> None:
        with tarfile.open(REAL / ARCHIVE) as tar:
            tar.extractall(tmp_path, filter="data")
        for location in (tmp_path, tmp_path / FOLDER):
            unpacked = CifarSource.open(location, "test")
            assert unpacked.identity == test_split.identity
            assert list(unpacked.read(0, 100)) == list(test_split.read(0, 100))
        assert CifarSource.open(REAL / ARCHIVE, "test").identity == test_split.identity

    def test_python_and_binary_and_parquet_are_equal(self) -> None:
        python, binary, parquet = (
            opened(REAL / place) for place in (ARCHIVE, BINARY_ARCHIVE, "hf_parquet/plain_text")
        )
        assert (len(python), len(binary), len(parquet)) == (10000, 1000, 1000)
        rows = [list(source.read(0, 1000)) for source in (python, binary, parquet)]
        keys_and_labels = [[(row.key, row.label) for row in found] for found in rows]
        assert keys_and_labels[0] == keys_and_labels[1] == keys_and_labels[2]
        assert [row.image for row in rows[0]] == [row.image for row in rows[1]]
        np.testing.assert_array_equal(decoded(rows[0]), decoded(rows[2]))
        assert rows[1][17].source_name == "test_batch.bin[17]"
        assert rows[2][17].source_name == "test-00000-of-00001.parquet[17]"
        assert {source.classes for source in (python, binary, parquet)} == {CIFAR10_CLASSES}
        for source, found in zip((python, binary, parquet), rows, strict=True):
            assert source.labels()[:1000] == [row.label for row in found]

    def test_binary_train_is_the_first_rows_of_each_batch(self) -> None:
        python, binary = opened(REAL, "train"), opened(REAL / BINARY_ARCHIVE, "train")
        assert (len(python), len(binary)) == (5000, 1000)
        for batch in range(5):
            theirs = list(python.read(1000 * batch, 1000 * batch + 200))
            ours = list(binary.read(200 * batch, 200 * batch + 200))
            assert [(s.image, s.label) for s in ours] == [(s.image, s.label) for s in theirs]

    def test_binary_unpacked_is_the_same(self, tmp_path: Path) -> None:
        with tarfile.open(REAL / BINARY_ARCHIVE) as tar:
            tar.extractall(tmp_path, filter="data")
        packed = opened(REAL / BINARY_ARCHIVE)
        for location in (tmp_path, tmp_path / "cifar-10-batches-bin"):
            unpacked = opened(location)
            assert unpacked.layout == packed.layout == "cifar10 binary"
            assert unpacked.identity == packed.identity
            assert list(unpacked.read(990, 1000)) == list(packed.read(990, 1000))

    def test_parquet_of_50000_jpegs(self) -> None:
        source = opened(REAL / "train_jpeg", "train")
        assert (len(source), source.layout, source.notes) == (50000, "cifar10 parquet", ())
        labels = source.labels()
        assert np.bincount(labels).tolist() == [5000] * 10
        found = list(source.read(4998, 5003))  # over the border of a row group
        assert [sample.label for sample in found] == labels[4998:5003]
        assert {sample.header.suffix for sample in found} == {"jpg"}

    def test_what_is_not_the_official_file_is_noted(self, test_split: CifarSource) -> None:
        # The pixels of these files are not the official ones, their names are.
        assert len(test_split.notes) == 1
        assert test_split.notes[0].startswith("test_batch is not the official file: its MD5 is ")
        archive, count = opened(REAL / BINARY_ARCHIVE).notes
        assert archive.startswith(f"{BINARY_ARCHIVE} is not the official file")
        assert count == "1000 of the 10000 test images"

    def test_class_names_are_those_of_batches_meta(self) -> None:
        with tarfile.open(REAL / ARCHIVE) as tar:
            raw = tar.extractfile(f"{FOLDER}/batches.meta").read()
        assert hashlib.md5(raw, usedforsecurity=False).hexdigest() == (
            "5ff9c542aee3614f3951f8cda6e48888"
        )
        names = pickle.loads(raw, encoding="bytes")[b"label_names"]
        assert tuple(name.decode() for name in names) == CIFAR10_CLASSES.names


def test_packed_and_unpacked_give_the_same_dataset(tmp_path: Path, store: Store) -> None:
    batches = {"test_batch": made_batch()}
    sources = [
        CifarSource.open(location, "test")
        for location in (
            made_archive(tmp_path / ARCHIVE, batches),
            made_folder(tmp_path / FOLDER, batches),
        )
    ]
    recipes = {recipe_for(source, "made", "test", 3).name for source in sources}
    assert len(recipes) == 1
    packed, unpacked = (build(source, store, str(i)) for i, source in enumerate(sources))
    assert packed.layout == unpacked.layout == "cifar10 python"
    assert packed.to_json() == unpacked.to_json()
    assert packed.dataset_version == unpacked.dataset_version
    for folder, manifest in enumerate((packed, unpacked)):
        assert ShardedSplit.open(store, str(folder)).version == manifest.dataset_version


@pytest.mark.parametrize("packed", [True, False])
def test_a_source_travels_to_another_process(tmp_path: Path, packed: bool) -> None:
    batches = {"test_batch": made_batch()}
    make, name = (made_archive, ARCHIVE) if packed else (made_folder, FOLDER)
    source = CifarSource.open(make(tmp_path / name, batches), "test")
    unread = pickle.loads(pickle.dumps(source))
    whole = list(source.read(0, 4))
    for copy in (unread, pickle.loads(pickle.dumps(source))):
        assert (copy.identity, copy.layout, len(copy)) == (source.identity, source.layout, 4)
        assert list(copy.read(0, 4)) == whole


def test_a_copy_in_a_folder_below_is_not_read(tmp_path: Path) -> None:
    folder = made_folder(tmp_path / "x", {"test_batch": made_batch()})
    before = CifarSource.open(folder, "test").identity
    made_folder(folder / "tests_of_mine", {"test_batch": made_batch(seed=9)})
    assert CifarSource.open(folder, "test").identity == before


def test_any_range_is_a_part_of_the_whole(tmp_path: Path) -> None:
    batches = {name: made_batch(3, seed) for seed, name in enumerate(BATCHES["train"])}
    source = CifarSource.open(made_folder(tmp_path / "x", batches), "train")
    whole = list(source.read(0, 15))
    assert len(source) == len(whole) == 15
    for start in range(15):
        for stop in range(start, 16):
            assert list(source.read(start, stop)) == whole[start:stop]


def test_identity_moves_with_content_and_split(tmp_path: Path) -> None:
    batches = {name: made_batch(2) for names in BATCHES.values() for name in names}
    one = made_folder(tmp_path / "one", batches)
    two = made_folder(tmp_path / "two", batches | {"test_batch": made_batch(2, seed=9)})
    identities = [CifarSource.open(one, split).identity for split in ("test", "train")]
    identities.append(CifarSource.open(two, "test").identity)
    assert len(set(identities)) == 3
    assert CifarSource.open(two, "train").identity == identities[1]


@pytest.mark.parametrize("label", [10, -1, 255])
def test_a_label_that_is_no_class_is_skipped(tmp_path: Path, store: Store, label: int) -> None:
    batch = made_batch(4, labels=[0, label, 2, 3])
    source = CifarSource.open(made_folder(tmp_path / "x", {"test_batch": batch}), "test")
    results = list(source.read(0, 4))
    assert results[1] == Skipped("made_s_000001.png", f"no such class: {label}")
    assert [r.key for r in results if isinstance(r, Sample)] == [
        f"cifar10_test_{index:05d}" for index in (0, 2, 3)
    ]
    manifest = build(source, store)
    assert (manifest.entries, manifest.samples, len(manifest.skipped)) == (4, 3, 1)


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_archive(tmp_path: Path, kept: float) -> None:
    path = made_archive(tmp_path / ARCHIVE, {"test_batch": made_batch(20)})
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * kept)])
    with pytest.raises(SourceError, match=ARCHIVE):
        CifarSource.open(path, "test")


def test_a_damaged_archive(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 3, (20, ROW), dtype=np.uint8)
    path = made_archive(tmp_path / ARCHIVE, {"test_batch": made_batch(20, data=pixels)})
    raw = path.read_bytes()
    for position in np.random.default_rng(0).integers(0, len(raw), 60):
        damaged = bytearray(raw)
        damaged[position] ^= 0x55
        path.write_bytes(damaged)
        try:
            list(CifarSource.open(path, "test").read(0, 20))
        except SourceError as error:
            assert "test_batch" in str(error) or ARCHIVE in str(error)  # noqa: PT017


def test_a_tar_with_damage_inside_the_gzip_stream(tmp_path: Path) -> None:
    path = made_archive(tmp_path / ARCHIVE, {"test_batch": made_batch(20)})
    raw = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(raw[: len(raw) // 2]))
    with pytest.raises(SourceError, match=ARCHIVE):
        CifarSource.open(path, "test")


def test_what_is_no_archive(tmp_path: Path) -> None:
    path = tmp_path / "cifar.tar.gz"
    path.write_bytes(b"<html>404</html>")
    with pytest.raises(SourceError, match=rf"(?s)cifar\.tar\.gz cannot .* fetch {ARCHIVE} again$"):
        CifarSource.open(path, "test")


@pytest.mark.parametrize("split", ["test", "train"])
def test_nothing_there(tmp_path: Path, split: str) -> None:
    for location in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(SourceError, match=f"{location}: no {ARCHIVE} and no folder with"):
            CifarSource.open(location, split)


def test_an_unknown_split(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="splits test and train, not 'val'"):
        CifarSource.open(tmp_path, "val")


def test_a_missing_batch(tmp_path: Path) -> None:
    batches = {name: made_batch(2) for name in BATCHES["train"] if name != "data_batch_3"}
    with pytest.raises(SourceError, match="data_batch_3"):
        CifarSource.open(made_folder(tmp_path / "x", batches), "train")
    with pytest.raises(SourceError, match="data_batch_3 missing"):
        CifarSource.open(made_archive(tmp_path / "a.tar.gz", batches), "train")


def test_a_shard_range_changes_with_its_own_entries_only(tmp_path: Path) -> None:
    one = made_folder(tmp_path / "one", {"test_batch": made_batch(6)})
    labels = [0, 1, 2, 9, 4, 5]
    two = made_folder(tmp_path / "two", {"test_batch": made_batch(6, labels=labels)})
    before, after = CifarSource.open(one, "test"), CifarSource.open(two, "test")
    changed = [before.range_identity(i, i + 2) != after.range_identity(i, i + 2) for i in (0, 2, 4)]
    assert changed == [False, True, False]
    assert before.range_identity(0, 2) != before.range_identity(2, 4)


def test_a_damaged_archive_is_not_passed_over_for_another_layout(tmp_path: Path) -> None:
    (tmp_path / ARCHIVE).write_bytes(b"<html>404</html>")
    made_folder(tmp_path / "cifar-10-batches-bin", {"test_batch.bin": made_rows(3, 1)})
    table = pa.table({"img": [{"bytes": encoded("PNG"), "path": None}], "label": [3]})
    pq.write_table(table, tmp_path / "test-00000-of-00001.parquet")
    with pytest.raises(SourceError, match="cannot be read as an archive"):
        opened(tmp_path)
    (tmp_path / ARCHIVE).unlink()
    assert opened(tmp_path).layout == "cifar10 binary"
    (tmp_path / "cifar-10-batches-bin/test_batch.bin").unlink()
    assert opened(tmp_path).layout == "cifar10 parquet"
    with pytest.raises(SourceError, match="no Parquet file of the split 'train'"):
        opened(tmp_path, "train")


class TestCifar100:
    """In the official layouts, with made pixels: pickles of protocol 2, keys of bytes."""

    FINE = (49, 33, 72, 51, 0)
    COARSE = (10, 10, 0, 4, 4)

    def batch(self, **changes: Any) -> dict[bytes, Any]:
        pixels = np.random.default_rng(3).integers(0, 256, (5, ROW), dtype=np.uint8)
        content: dict[bytes, Any] = {
            b"batch_label": b"testing batch 1 of 1",
            b"filenames": [f"made_s_{row:06d}.png".encode() for row in range(5)],
            b"fine_labels": list(self.FINE),
            b"coarse_labels": list(self.COARSE),
            b"data": pixels,
        }
        return content | {name.encode(): value for name, value in changes.items()}

    def python(self, root: Path, **changes: Any) -> Path:
        content = pickle.dumps(self.batch(**changes), protocol=2)
        folder = made_folder(root / "cifar-100-python", {"test": content, "train": content})
        with tarfile.open(root / "cifar-100-python.tar.gz", "w:gz") as tar:
            tar.add(folder, "cifar-100-python")
        return root

    def binary(self, root: Path) -> Path:
        labels = np.array([self.COARSE, self.FINE], np.uint8).T
        content = np.concatenate([labels, self.batch()[b"data"]], axis=1).tobytes()
        made_folder(root / "cifar-100-binary", {"test.bin": content, "train.bin": content})
        return root

    def parquet(self, root: Path) -> Path:
        samples = opened(root, source="cifar100").read(0, 5)
        images = [{"bytes": sample.image, "path": None} for sample in samples]
        columns = {"img": images, "fine_label": self.FINE, "coarse_label": self.COARSE}
        (root / "cifar100").mkdir()
        pq.write_table(pa.table(columns), root / "cifar100/test-00000-of-00001.parquet")
        return root / "cifar100"

    def test_all_layouts_give_the_same_samples(self, tmp_path: Path) -> None:
        self.python(tmp_path / "a")
        locations = {
            "cifar100 python": tmp_path / "a",
            "cifar100 binary": self.binary(tmp_path / "b"),
            "cifar100 parquet": self.parquet(tmp_path / "a"),
        }
        expected = list(
            opened(tmp_path / "a/cifar-100-python.tar.gz", source="cifar100").read(0, 5)
        )
        assert [sample.label for sample in expected] == list(self.FINE)
        assert [sample.fields for sample in expected] == [
            {"coarse_label": CIFAR100_COARSE[coarse]} for coarse in self.COARSE
        ]
        assert expected[4].source_name == "made_s_000004.png"
        pixels = self.batch()[b"data"].reshape(5, 3, 32, 32).transpose(0, 2, 3, 1)
        np.testing.assert_array_equal(decoded(expected), pixels)
        for layout, location in locations.items():
            source = opened(location, source="cifar100")
            found = list(source.read(0, 5))
            assert (source.layout, source.classes) == (layout, CIFAR100_CLASSES)
            for ours, theirs in zip(found, expected, strict=True):
                assert (ours.key, ours.image, ours.label, dict(ours.fields)) == (
                    theirs.key,
                    theirs.image,
                    theirs.label,
                    dict(theirs.fields),
                )
        assert len(opened(locations["cifar100 binary"], "train", "cifar100")) == 5

    def test_lists_are_those_of_the_publisher(self) -> None:
        assert (len(CIFAR100_CLASSES), len(CIFAR100_COARSE)) == (100, 20)
        assert list(CIFAR100_CLASSES.names) == sorted(CIFAR100_CLASSES.names)
        assert list(CIFAR100_COARSE) == sorted(CIFAR100_COARSE)
        # First and last, and every class that the made batch has, as the publisher numbers them.
        named = [CIFAR100_CLASSES.names[label] for label in (*self.FINE, 99)]
        assert named == ["mountain", "forest", "seal", "mushroom", "apple", "worm"]

    @pytest.mark.parametrize(
        "changes",
        [
            {"coarse_labels": [1]},
            {"fine_labels": [1]},
            {"filenames": []},
            {"data": np.zeros((5, 3), np.uint8)},
        ],
    )
    def test_arrays_that_do_not_fit(self, changes: dict[str, Any]) -> None:
        with pytest.raises(SourceError, match="test: "):
            parse_batch(pickle.dumps(self.batch(**changes), protocol=2), "test", CIFAR100)

    def test_cifar10_is_not_cifar100(self, tmp_path: Path) -> None:
        path = made_archive(tmp_path / ARCHIVE, {"test_batch": made_batch()})
        with pytest.raises(SourceError, match="test missing; fetch cifar-100-python"):
            opened(path, source="cifar100")
        with pytest.raises(SourceError, match="is not a CIFAR-100 batch"):
            parse_batch(made_batch(), "test", CIFAR100)

    def test_a_source_travels_to_another_process(self, tmp_path: Path) -> None:
        source = opened(self.python(tmp_path), source="cifar100")
        copy = pickle.loads(pickle.dumps(source))
        assert list(copy.read(0, 5)) == list(source.read(0, 5))
        assert copy.range_identity(1, 3) == source.range_identity(1, 3)
