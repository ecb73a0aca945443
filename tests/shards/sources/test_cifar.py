import hashlib
import io
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from shards.reader import ShardedSplit
from shards.recipe import recipe_for
from shards.sources.builtin import CIFAR10_CLASSES
from shards.sources.cifar import CifarSource
from shards.sources.cifar_layouts import ARCHIVE, BATCHES, FOLDER
from shards.store import Store
from tests.shards.made import build
from tests.shards.sources.made_cifar import (
    BINARY_ARCHIVE,
    ROW,
    decoded,
    made_archive,
    made_batch,
    made_folder,
    opened,
)
from tests.support.shared_data import SHARED, needs_shared

REAL = SHARED / "data/cifar10"


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


def test_a_shard_range_changes_with_its_own_entries_only(tmp_path: Path) -> None:
    one = made_folder(tmp_path / "one", {"test_batch": made_batch(6)})
    labels = [0, 1, 2, 9, 4, 5]
    two = made_folder(tmp_path / "two", {"test_batch": made_batch(6, labels=labels)})
    before, after = CifarSource.open(one, "test"), CifarSource.open(two, "test")
    changed = [before.range_identity(i, i + 2) != after.range_identity(i, i + 2) for i in (0, 2, 4)]
    assert changed == [False, True, False]
    assert before.range_identity(0, 2) != before.range_identity(2, 4)
