"""MNIST and Fashion-MNIST: one IDX file of images and one of labels for each split.

Format: http://yann.lecun.com/exdb/mnist/. Magic number (two zero bytes, the type, the number of
dimensions), the dimensions as big-endian int32, then the values; packed by gzip or not.
"""

import gzip
import hashlib
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from shards.errors import SourceError
from shards.image import ImageHeader, encode_pngs
from shards.sample import ClassList, Sample, Skipped
from shards.sources.builtin import FASHION_MNIST_CLASSES, MNIST_CLASSES
from shards.sources.files import refuse_changed, state_of
from shards.sources.official import md5_note
from shards.sources.source import SourceSpec, digest

STEMS = {"train": "train", "test": "t10k"}
SPLIT_IMAGES = {"train": 60_000, "test": 10_000}
TORCHVISION_FOLDERS = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST"}
CLASSES = {"mnist": MNIST_CLASSES, "fashion-mnist": FASHION_MNIST_CLASSES}
UNSIGNED_BYTE = 0x08
LARGEST = 1 << 31


@dataclass(frozen=True)
class IdxSource:
    """The images of a split in the order of their file, as grey PNGs.

    ``states`` are size and time of change (ns) of both files.
    """

    dataset: str
    split: str
    images: Path
    label_file: Path
    states: tuple[tuple[int, int], tuple[int, int]] = field(repr=False)
    identity: str
    checked: tuple[str, ...] = field(repr=False)

    @classmethod
    def open(cls, location: Path, dataset: str, split: str) -> "IdxSource":
        """The two files of ``split`` in ``location``, or where torchvision keeps them below it.

        Raises:
            SourceError: they are not there, damaged or not of one dataset; or no such split.
        """
        if split not in STEMS:
            raise SourceError(f"{dataset} has the splits test and train, not {split!r}")
        images = _find(location, dataset, f"{STEMS[split]}-images", "idx3-ubyte")
        label_file = _find(location, dataset, f"{STEMS[split]}-labels", "idx1-ubyte")
        states = (state_of(images), state_of(label_file))
        read = {path: read_idx(path, n) for path, n in ((images, 3), (label_file, 1))}
        if len(read[images]) != len(read[label_file]):
            raise SourceError(
                f"{images}: {len(read[images])} images for {len(read[label_file])} labels in "
                f"{label_file.name}; fetch both again"
            )
        facts = [[array.shape, _sha256(array)] for array in read.values()]
        notes = [md5_note(path, f"{dataset}/{path.name}") for path in read]
        identity = digest(dataset, split, facts)
        checked = tuple(note for note in notes if note)
        return cls(dataset, split, images, label_file, states, identity, checked)

    @property
    def layout(self) -> str:
        """The same whether the files are packed or not, since the samples are."""
        return f"{self.dataset} idx"

    @property
    def classes(self) -> ClassList:
        return CLASSES[self.dataset]

    @property
    def notes(self) -> tuple[str, ...]:
        count, official = len(self), SPLIT_IMAGES[self.split]
        odd = () if count == official else (f"{count} of the {official} {self.split} images",)
        return (*self.checked, *odd)

    def __len__(self) -> int:
        return len(self._labels)

    def range_identity(self, start: int, stop: int) -> str:
        pixels, labels = _sha256(self._pixels[start:stop]), self._labels[start:stop].tolist()
        return digest(self.dataset, self.split, start, self._pixels.shape[1:], pixels, labels)

    def labels(self) -> list[int | None]:
        return [label if label < len(self.classes) else None for label in self._labels.tolist()]

    def read(self, start: int, stop: int) -> Iterator[Sample | Skipped]:
        file = self.images.name.removesuffix(".gz")
        height, width = self._pixels.shape[1:]
        header = ImageHeader("png", width, height)
        stop = min(stop, len(self))
        images = encode_pngs(self._pixels[start:stop])
        for index, image in zip(range(start, stop), images, strict=True):
            name, label = f"{file}[{index}]", int(self._labels[index])
            if label >= len(self.classes):
                yield Skipped(name, f"no such class: {label}")
                continue
            key = f"{self.dataset}_{self.split}_{index:05d}"
            yield Sample(key, image, header, label, name)

    @cached_property
    def _pixels(self) -> NDArray[np.uint8]:
        return _as_opened(self.images, self.states[0], 3)

    @cached_property
    def _labels(self) -> NDArray[np.uint8]:
        return _as_opened(self.label_file, self.states[1], 1)


def open_idx(spec: SourceSpec, split: str) -> IdxSource:
    """MNIST or Fashion-MNIST, whichever ``spec`` says, at ``spec.location``.

    Raises:
        SourceError: see ``IdxSource.open``.
    """
    return IdxSource.open(spec.location, spec.source, split)


def read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """The array of unsigned bytes in an IDX file, packed or not.

    Raises:
        SourceError: it is damaged, of another type or number of dimensions, or of another length
            than its header says.
    """
    try:
        with _unpacked(path) as file:
            header = file.read(4 + 4 * dimensions)
            magic = bytes([0, 0, UNSIGNED_BYTE, dimensions])
            if header[:4] != magic or len(header) != 4 + 4 * dimensions:
                raise SourceError(
                    f"{path}: its magic number is {header[:4].hex()}, not {magic.hex()}; "
                    f"the file is not what its name says: fetch it again"
                )
            shape = struct.unpack(f">{dimensions}I", header[4:])
            size = int(np.prod(shape, dtype=object))
            if not 0 < size < LARGEST:
                raise SourceError(f"{path}: its header says {shape}; fetch it again")
            values = file.read(size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(f"{path}: cut short or damaged ({error}); fetch it again") from error
    if len(values) != size:
        found = "more" if len(values) > size else f"{len(values)}"
        raise SourceError(f"{path}: {found} bytes where its header says {size}; fetch it again")
    return np.frombuffer(values, np.uint8).reshape(shape)


def _as_opened(path: Path, state: tuple[int, int], dimensions: int) -> NDArray[np.uint8]:
    array = read_idx(path, dimensions)
    refuse_changed(path, state)
    return array


def _unpacked(path: Path) -> BinaryIO:
    if path.suffix == ".gz":
        return cast("BinaryIO", gzip.open(path))
    return path.open("rb")


def _find(location: Path, dataset: str, stem: str, ending: str) -> Path:
    raw = location / TORCHVISION_FOLDERS[dataset] / "raw"
    names = [f"{stem}{dot}{ending}{packed}" for packed in (".gz", "") for dot in "-."]
    for folder in (location, raw, location / "raw"):
        for name in names:
            if (folder / name).is_file():
                return folder / name
    raise SourceError(
        f"{location}: no {names[0]} here, packed or not; point `location` at the folder with the "
        f"four files of {dataset}"
    )


def _sha256(array: NDArray[np.uint8]) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()
