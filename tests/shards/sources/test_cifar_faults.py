import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shards.errors import SourceError
from shards.sample import Sample, Skipped
from shards.sources.cifar import CifarSource
from shards.sources.cifar_layouts import ARCHIVE, BATCHES
from shards.store import Store
from tests.shards.made import build, encoded
from tests.shards.sources.made_cifar import (
    ROW,
    made_archive,
    made_batch,
    made_folder,
    made_rows,
    opened,
)


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
