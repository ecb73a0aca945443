"""Sets of official layout and any size, made of few real images: for the benchmarks."""

import io
import pickle
import tarfile
from itertools import cycle, islice
from pathlib import Path

import numpy as np

from shards.sources.archive import read_files
from shards.sources.builtin import imagenet_classes
from shards.sources.cifar import CifarSource
from shards.sources.cifar_layouts import CIFAR10
from shards.sources.imagenet_train import TRAIN_IMAGES
from shards.sources.imagenet_val import DEVKIT, GROUND_TRUTH, IMAGES, META

PER_CLASS = 250


def val_tar(official: Path, entries: int, target: Path) -> Path:
    """The validation tar with its images repeated under further numbers, and a kit to fit."""
    with tarfile.open(target / IMAGES, "w") as out:
        for number, image in enumerate(islice(cycle(_images(official)), entries), 1):
            _add(out, f"ILSVRC2012_val_{number:08d}.JPEG", image)
    kit = target / DEVKIT
    kit.mkdir()
    archive = official / f"{DEVKIT}.tar.gz"
    truth, meta = read_files(archive, (GROUND_TRUTH, META), "name the kit").values()
    lines = list(islice(cycle(truth.split()), entries))
    (kit / GROUND_TRUTH).write_bytes(b"\n".join(lines))
    (kit / META).write_bytes(meta)
    return target / IMAGES


def train_tar(official: Path, entries: int, target: Path) -> Path:
    """The training tar: ``PER_CLASS`` of the validation images in a tar for each class."""
    images = cycle(_images(official))
    with tarfile.open(target / TRAIN_IMAGES, "w") as out:
        for start, wnid in zip(range(0, entries, PER_CLASS), imagenet_classes().ids, strict=False):
            inner = io.BytesIO()
            with tarfile.open(fileobj=inner, mode="w") as tar:
                for number in range(start, min(start + PER_CLASS, entries)):
                    _add(tar, f"{wnid}_{number}.JPEG", next(images))
            _add(out, f"{wnid}.tar", inner.getvalue())
    return target / TRAIN_IMAGES


def cifar_folder(cifar: Path, entries: int, target: Path) -> list[Path]:
    """The five training batches of the python layout, the test images repeated in them."""
    (batch,) = CifarSource.open(cifar, "test").batches
    layout = CIFAR10.layouts[0]
    folder = target / layout.folder
    folder.mkdir()
    paths = [folder / name for name in layout.batches["train"]]
    for path in paths:
        rows = np.arange(entries // len(paths)) % len(batch.labels)
        content = {
            b"data": batch.pixels[rows],
            b"labels": [batch.labels[row] for row in rows],
            b"filenames": [batch.names[row].encode() for row in rows],
        }
        path.write_bytes(pickle.dumps(content, protocol=2))
    return paths


def _images(official: Path) -> list[bytes]:
    with tarfile.open(official / IMAGES) as tar:
        return [file.read() for member in tar if (file := tar.extractfile(member))]


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))
