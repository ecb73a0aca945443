"""CIFAR in the publisher's layouts, of made pixels."""

import io
import pickle
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from shards.sample import Sample, Skipped
from shards.sources.cifar import open_cifar
from shards.sources.cifar_layouts import FOLDER
from shards.sources.source import Source, SourceSpec

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
