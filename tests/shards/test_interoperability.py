"""What we write is read by others, and by ourselves as if others had written it."""

import io
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.dataset
import pytest
import wids
from PIL import Image

from shards.manifest import MANIFEST_NAME, SAMPLES_NAME, Manifest
from shards.reader import ShardedSplit
from shards.sample import Sample
from shards.sources.imagenet_val import open_val_tar
from shards.sources.webdataset import open_shards
from shards.store import Store
from tests.shards.made import First, build
from tests.support.shared_data import SHARED, needs_shared

pytestmark = needs_shared
COUNT = 30


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store.at(tmp_path_factory.mktemp("artifacts"))


@pytest.fixture(scope="module")
def source() -> First:
    return First(open_val_tar(SHARED / "data/imagenet/official", "val"), COUNT)


@pytest.fixture(scope="module")
def samples(source: First) -> list[Sample]:
    return [sample for sample in source.read(0, COUNT) if isinstance(sample, Sample)]


@pytest.fixture(scope="module")
def folder(source: First, store: Store) -> Path:
    manifest: Manifest = build(source, store, "built", samples_per_shard=10)
    assert manifest.samples == COUNT
    return Path(store.locate("built"))


def test_timm_reads_images_and_targets(folder: Path, samples: list[Sample]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        reader_wds = pytest.importorskip("timm.data.readers.reader_wds")
        reader: Any = reader_wds.ReaderWds(
            str(folder), split=f"made-test-{{000000..000002}}.tar|{COUNT}"
        )
        read = list(reader)
        assert len(reader) == COUNT
    assert [target for _, target in read] == [sample.label for sample in samples]
    for (image, _), sample in zip(read, samples, strict=True):
        with Image.open(io.BytesIO(sample.image)) as opened:
            np.testing.assert_array_equal(np.asarray(image), np.asarray(opened.convert("RGB")))


def test_wids_reads_by_the_manifest(folder: Path, samples: list[Sample], tmp_path: Path) -> None:
    dataset = wids.ShardListDataset(
        str(folder / MANIFEST_NAME),
        base=str(folder),
        cache_dir=str(tmp_path),
        transformations=[lambda sample: sample],
    )
    assert len(dataset) == COUNT
    for index in (29, 0, 10, 9):  # any order, over the borders of shards
        found, sample = dataset[index], samples[index]
        assert found["__key__"] == sample.key
        assert found[".jpg"].read() == sample.image
        assert int(found[".cls"].read()) == sample.label
        assert json.load(found[".json"])["source_name"] == sample.source_name
    dataset.close()


def test_arrow_reads_the_samples(folder: Path, samples: list[Sample]) -> None:
    table = pyarrow.dataset.dataset(folder / SAMPLES_NAME).to_table(
        columns=["key", "target", "wnid", "shard", "offset", "length"]
    )
    assert table["key"].to_pylist() == [sample.key for sample in samples]
    assert table["target"].to_pylist() == [sample.label for sample in samples]
    assert table["wnid"].to_pylist() == [sample.fields["wnid"] for sample in samples]
    for row, sample in zip(table.to_pylist(), samples, strict=True):
        with (folder / f"made-test-{row['shard']:06d}.tar").open("rb") as tar:
            tar.seek(row["offset"])
            assert tar.read(row["length"]) == sample.image


def test_our_own_shards_are_a_source(folder: Path, samples: list[Sample], store: Store) -> None:
    tars = sorted(folder.glob("*.tar"))
    split = ShardedSplit.open(store, "built")
    again = open_shards(tars, split.manifest.classes)
    read = list(again.read(0, len(again)))
    assert read == samples
    # Sharded again from there, nothing is another: neither image nor target nor tar.
    manifest: Manifest = build(again, store, "again", samples_per_shard=10)
    assert manifest.digests == split.manifest.digests
