"""CIFAR-10 and CIFAR-100 in the layouts that they come in: python, binary, Parquet.

Layouts: https://www.cs.toronto.edu/~kriz/cifar.html, as archives, the folders they unpack to, or a
folder with either (as torchvision keeps them).
"""

import hashlib
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from shards.errors import SourceError
from shards.image import ImageHeader, encode_pngs
from shards.sample import ClassList, Sample, Skipped
from shards.sources.archive import read_files
from shards.sources.cifar_binary import Batch, parse_binary
from shards.sources.cifar_layouts import CIFAR10, CIFAR100, SPLIT_ROWS, Cifar, Layout
from shards.sources.cifar_python import parse_batch
from shards.sources.official import content_note, md5_note
from shards.sources.parquet import ParquetSource
from shards.sources.parquet_files import split_files
from shards.sources.source import Source, SourceSpec, digest

SIDE = 32
HEADER = ImageHeader(suffix="png", width=SIDE, height=SIDE)


@dataclass(frozen=True)
class CifarSource:
    """The split ``train`` or ``test`` out of python or binary batches, in the official order."""

    split: str
    identity: str
    batches: tuple[Batch, ...] = field(repr=False, compare=False)
    dataset: Cifar = CIFAR10
    form: Literal["python", "binary"] = "python"
    checked: tuple[str, ...] = ()

    @classmethod
    def open(cls, location: Path, split: str, dataset: Cifar = CIFAR10) -> "CifarSource":
        """The split at ``location``: an archive, its unpacked folder, or a folder with either.

        Raises:
            SourceError: neither is there, or the split is unknown.
        """
        _refuse_split(dataset, split)
        if found := _find(location, split, dataset):
            return cls._at(*found, split, dataset)
        first = dataset.layouts[0]
        raise SourceError(
            f"{location}: no {first.archive} and no folder with {', '.join(first.batches[split])}, "
            f"nor the binary layout; point `location` at an archive or at the folder it unpacks to"
        )

    @classmethod
    def _at(cls, place: Path, layout: Layout, split: str, dataset: Cifar) -> "CifarSource":
        names = layout.batches[split]
        contents = read_files(place, names, f"fetch {layout.archive} again")
        hashes = {name: hashlib.sha256(raw).hexdigest() for name, raw in contents.items()}
        form = () if layout.form == "python" else (layout.form,)
        notes = [content_note(f"{layout.folder}/{name}", raw) for name, raw in contents.items()]
        if layout.form == "binary" and place.is_file():
            notes = [md5_note(place)]  # nobody publishes checksums of what lies in there
        return cls(
            split=split,
            identity=digest(dataset.name, *form, split, hashes),
            batches=tuple(_parsed(raw, name, dataset, layout) for name, raw in contents.items()),
            dataset=dataset,
            form=layout.form,
            checked=tuple(note for note in notes if note),
        )

    @property
    def layout(self) -> str:
        """The same for the archive and its folder, since the samples are."""
        return f"{self.dataset.name} {self.form}"

    @property
    def classes(self) -> ClassList:
        return self.dataset.classes

    @property
    def notes(self) -> tuple[str, ...]:
        count, official = len(self), SPLIT_ROWS[self.split]
        odd = () if count == official else (f"{count} of the {official} {self.split} images",)
        return (*self.checked, *odd)

    def __len__(self) -> int:
        return sum(len(batch.labels) for batch in self.batches)

    def range_identity(self, start: int, stop: int) -> str:
        parts = []
        for batch, first, last, _ in self._parts(start, stop):
            pixels = hashlib.sha256(batch.pixels[first:last].tobytes()).hexdigest()
            rows = slice(first, last)
            parts.append([pixels, batch.labels[rows], batch.coarse[rows], batch.names[rows]])
        return digest(self.dataset.name, self.split, start, parts)

    def labels(self) -> list[int | None]:
        known = range(len(self.classes))
        return [
            label if label in known else None for batch in self.batches for label in batch.labels
        ]

    def read(self, start: int, stop: int) -> Iterator[Sample | Skipped]:
        for batch, first, last, before in self._parts(start, stop):
            planes = batch.pixels[first:last].reshape(-1, 3, SIDE, SIDE)
            images = encode_pngs(planes.transpose(0, 2, 3, 1))
            for row, image in zip(range(first, last), images, strict=True):
                yield self._sample(batch, row, before + row, image)

    def _parts(self, start: int, stop: int) -> Iterator[tuple[Batch, int, int, int]]:
        """The batches that hold a range: first and last row there, and the entries before them."""
        before = 0
        for batch in self.batches:
            first, last = max(start - before, 0), min(stop - before, len(batch.labels))
            if first < last:
                yield batch, first, last, before
            before += len(batch.labels)

    def _sample(self, batch: Batch, row: int, index: int, image: bytes) -> Sample | Skipped:
        label, name = batch.labels[row], batch.names[row]
        if not 0 <= label < len(self.classes):
            return Skipped(source_name=name, reason=f"no such class: {label}")
        coarse = batch.coarse[row] if batch.coarse else -1
        fields = {}
        if 0 <= coarse < len(self.dataset.coarse):
            fields["coarse_label"] = self.dataset.coarse[coarse]
        key = f"{self.dataset.name}_{self.split}_{index:05d}"
        return Sample(key, image, HEADER, label, name, fields)


def open_cifar(spec: SourceSpec, split: str) -> Source:
    """CIFAR-10 or CIFAR-100 at ``spec.location``, in whichever layout it lies there.

    Python is preferred to binary, binary to Parquet. Labels of CIFAR-100 are the fine ones.

    Raises:
        SourceError: none is there, or the split is unknown.
    """
    dataset = CIFAR100 if spec.source == "cifar100" else CIFAR10
    _refuse_split(dataset, split)
    location = spec.location
    has_parquet = location.suffix == ".parquet" or any(location.rglob("*.parquet"))
    if not has_parquet or (location.is_dir() and _find(location, split, dataset)):
        return CifarSource.open(location, split, dataset)
    return ParquetSource.open(
        split_files(location, split),
        dataset.classes,
        layout=f"{dataset.name} parquet",
        image_column=spec.image_column,
        label_column=spec.label_column,
        key_prefix=f"{dataset.name}_{split}",
        key_digits=5,
        text_columns={"coarse_label": dataset.coarse} if dataset.coarse else {},
    )


def _parsed(raw: bytes, name: str, dataset: Cifar, layout: Layout) -> Batch:
    if layout.form == "binary":
        return parse_binary(raw, name, label_bytes=2 if dataset.coarse else 1)
    return parse_batch(raw, name, dataset)


def _refuse_split(dataset: Cifar, split: str) -> None:
    if split not in SPLIT_ROWS:
        raise SourceError(f"{dataset.title} has the splits test and train, not {split!r}")


def _find(location: Path, split: str, dataset: Cifar) -> tuple[Path, Layout] | None:
    """The archive or folder of batches at ``location``, or in it."""
    if location.is_file():
        return location, _layout_of(location, dataset)
    for layout in dataset.layouts:
        for folder in (location, location / layout.folder):
            if all((folder / name).is_file() for name in layout.batches[split]):
                return folder, layout
        if (location / layout.archive).is_file():
            return location / layout.archive, layout
    return None


def _layout_of(archive: Path, dataset: Cifar) -> Layout:
    """Whose batches the archive holds, by the first that it names; python where it names none."""
    layout_of = {
        name: layout
        for layout in dataset.layouts
        for names in layout.batches.values()
        for name in names
    }
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                if layout := layout_of.get(member.name.rsplit("/", 1)[-1]):
                    return layout
    except (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError):
        pass  # reading it says what is wrong
    return dataset.layouts[0]
