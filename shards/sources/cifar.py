"""CIFAR-10 in its official python layout: ``cifar-10-python.tar.gz``, or the folder it unpacks to.

Layout: https://www.cs.toronto.edu/~kriz/cifar.html. The batches are pickles of Python 2; they are
read by an unpickler that knows the four names NumPy arrays need and refuses every other.
"""

import hashlib
import io
import pickle
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shards.errors import SourceError
from shards.image import ImageHeader, encode_png
from shards.sample import ClassList, Sample, Skipped
from shards.sources.archive import read_files
from shards.sources.source import digest

BATCHES = {"test": ("test_batch",), "train": tuple(f"data_batch_{i}" for i in range(1, 6))}
FOLDER = "cifar-10-batches-py"
ARCHIVE = "cifar-10-python.tar.gz"
CIFAR10_CLASSES = ClassList.of_names(
    ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
)
SIDE = 32
ROW_BYTES = 3 * SIDE * SIDE
HEADER = ImageHeader(suffix="png", width=SIDE, height=SIDE)


# NumPy's own function for unpickling arrays; its module is private and has moved between versions.
_RECONSTRUCT = np.empty(0).__reduce__()[0]


class _ArrayUnpickler(pickle.Unpickler):
    """Builds NumPy arrays and plain containers, nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        allowed: Mapping[tuple[str, str], Any] = {
            ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
            ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
            ("numpy", "ndarray"): np.ndarray,
            ("numpy", "dtype"): np.dtype,
            ("_codecs", "encode"): _encode_latin1,
        }
        if (module, name) not in allowed:
            raise pickle.UnpicklingError(f"refused to load {module}.{name}")
        return allowed[module, name]


def _encode_latin1(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"refused encoding {encoding}")
    return text.encode("latin1")


@dataclass(frozen=True)
class Batch:
    """One decoded batch file: pixels [n, 3072] (three planes), labels [n], names [n]."""

    pixels: NDArray[np.uint8]
    labels: tuple[int, ...]
    names: tuple[str, ...]


def parse_batch(content: bytes, name: str) -> Batch:
    """The batch in the pickle ``content``.

    Raises:
        SourceError: it refers to a foreign name, or its arrays do not fit together.
    """
    try:
        raw = _ArrayUnpickler(io.BytesIO(content), encoding="bytes").load()
        pixels = np.asarray(raw[b"data"])
        labels = tuple(int(label) for label in raw[b"labels"])
        names = tuple(entry.decode("utf-8", "replace") for entry in raw[b"filenames"])
    except Exception as error:
        raise SourceError(
            f"{name} is not a CIFAR-10 batch ({type(error).__name__}: {error}); "
            f"fetch {ARCHIVE} again from its publisher"
        ) from error
    if pixels.dtype != np.uint8 or pixels.shape != (len(labels), ROW_BYTES):
        raise SourceError(
            f"{name}: pixels are {pixels.dtype} {pixels.shape}, not uint8 ({len(labels)}, 3072)"
        )
    if len(names) != len(labels):
        raise SourceError(f"{name}: {len(names)} file names for {len(labels)} labels")
    return Batch(pixels=pixels, labels=labels, names=names)


@dataclass(frozen=True)
class CifarSource:
    """CIFAR-10, split ``train`` or ``test``, in the official order."""

    split: str
    identity: str
    contents: Callable[[], Mapping[str, bytes]] = field(repr=False)

    @classmethod
    def open(cls, location: Path, split: str) -> "CifarSource":
        """The split at ``location``: the archive, its unpacked folder, or a folder with either.

        Raises:
            SourceError: neither is there, or the split is unknown.
        """
        if split not in BATCHES:
            raise SourceError(f"CIFAR-10 has the splits test and train, not {split!r}")
        names = BATCHES[split]
        archive = location / ARCHIVE if location.is_dir() else location
        for place in (location, location / FOLDER, archive):
            if place.is_file() or all((place / name).is_file() for name in names):
                reading = partial(read_files, place, names, f"fetch {ARCHIVE} again")
                hashes = {name: hashlib.sha256(raw).hexdigest() for name, raw in reading().items()}
                return cls(split, digest("cifar10", split, hashes), reading)
        raise SourceError(
            f"{location}: no {ARCHIVE} and no folder with {', '.join(names)}; "
            f"point `location` at the archive or at the folder it unpacks to"
        )

    @property
    def layout(self) -> str:
        """The same for the archive and its folder, since the samples are."""
        return "cifar10 python"

    @property
    def classes(self) -> ClassList:
        return CIFAR10_CLASSES

    def __len__(self) -> int:
        return sum(len(batch.labels) for batch in self._batches)

    def read(self, start: int, stop: int) -> Iterator[Sample | Skipped]:
        position = 0
        for batch in self._batches:
            first, last = max(start - position, 0), min(stop - position, len(batch.labels))
            for row in range(first, last):
                yield self._sample(batch, row, position + row)
            position += len(batch.labels)

    def _sample(self, batch: Batch, row: int, index: int) -> Sample | Skipped:
        label, name = batch.labels[row], batch.names[row]
        if not 0 <= label < len(CIFAR10_CLASSES):
            return Skipped(source_name=name, reason=f"no such class: {label}")
        planes = batch.pixels[row].reshape(3, SIDE, SIDE)
        image = encode_png(np.ascontiguousarray(planes.transpose(1, 2, 0)))
        key = f"cifar10_{self.split}_{index:05d}"
        return Sample(key=key, image=image, header=HEADER, label=label, source_name=name)

    @cached_property
    def _batches(self) -> tuple[Batch, ...]:
        return tuple(parse_batch(raw, name) for name, raw in self.contents().items())
