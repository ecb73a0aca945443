import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shards.errors import SourceError
from shards.sources.builtin import CIFAR100_CLASSES, CIFAR100_COARSE
from shards.sources.cifar_layouts import ARCHIVE, CIFAR100
from shards.sources.cifar_python import parse_batch
from tests.shards.sources.made_cifar import (
    ROW,
    decoded,
    made_archive,
    made_batch,
    made_folder,
    opened,
)


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
