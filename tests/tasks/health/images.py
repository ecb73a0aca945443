"""Images and their signatures for the tests of copies: real ones of CIFAR-10, and made ones."""

import io
import tarfile
from collections.abc import Sequence
from functools import cache

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from shards.image import encode_png
from shards.reader import StoredSample
from shards.sources.cifar_python import parse_batch
from tasks.health.signatures import Signatures, signature_table
from tests.support.shared_data import SHARED

Pixels = NDArray[np.uint8]


def scenes(n: int, seed: int = 0) -> Pixels:
    """Made pictures uint8 [n, 32, 32, 3] with structure of all sizes, no two alike."""
    noise = np.random.default_rng(seed).normal(size=(n, 32, 32, 3))
    parts = [ndimage.gaussian_filter(noise, (0, s, s, 0)) * s for s in (0.7, 2.0, 5.0)]
    whole = sum(parts) * 60 + 128
    return np.clip(whole, 0, 255).astype(np.uint8)


def signed(images: Sequence[Pixels] | Pixels, prefix: str = "") -> Signatures:
    """Their signatures, keyed by position."""
    samples = (
        StoredSample(f"{prefix}{place}", place, encode_png(pixels), None)
        for place, pixels in enumerate(images)
    )
    return Signatures.of([signature_table(samples)])


@cache
def cifar_test() -> Pixels:
    """The 10,000 test images in ../shared, uint8 [10000, 32, 32, 3]."""
    with tarfile.open(SHARED / "data/cifar10/cifar-10-python.tar.gz") as archive:
        member = archive.extractfile("cifar-10-batches-py/test_batch")
        assert member is not None
        batch = parse_batch(member.read(), "test_batch")
    return np.ascontiguousarray(batch.pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))


@cache
def train_bytes() -> list[bytes]:
    """The 50,000 training images in ../shared as JPEG, in the order of the file."""
    table = pq.read_table(SHARED / "data/cifar10/train_jpeg")
    return table["img"].combine_chunks().field("bytes").to_pylist()


def train_image(row: int) -> Pixels:
    return np.asarray(Image.open(io.BytesIO(train_bytes()[row])).convert("RGB"))
