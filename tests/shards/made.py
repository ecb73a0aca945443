"""Small images, samples and sources for the tests of this room."""

import io
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from shards.build import build_shard, finish
from shards.image import encode_png, read_header
from shards.manifest import Manifest
from shards.recipe import recipe_for
from shards.sample import ClassList, Sample, Skipped
from shards.sources.source import Source, digest
from shards.store import Store

FOLDER = "shards/made/test/recipe"
CLASSES = ClassList.of_names(("ant", "bee", "cat"))


def pixels(seed: int, height: int = 4, width: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def encoded(form: str, seed: int = 0, size: tuple[int, int] = (5, 4)) -> bytes:
    """An image as Pillow writes it, of ``size`` (width, height)."""
    sink = io.BytesIO()
    Image.fromarray(pixels(seed, size[1], size[0])).save(sink, form)
    return sink.getvalue()


def tar_of(*members: tuple[str, bytes] | tarfile.TarInfo) -> bytes:
    """A tar of named files, and of members that have no content."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
                continue
            info = tarfile.TarInfo(member[0])
            info.size = len(member[1])
            tar.addfile(info, io.BytesIO(member[1]))
    return sink.getvalue()


def made_sample(number: int, label: int | None = 0, **fields: str | int) -> Sample:
    image = encode_png(pixels(number))
    name = f"{number}.png"
    return Sample(f"made_{number:03d}", image, read_header(image), label, name, fields)


@dataclass(frozen=True)
class ListSource:
    """A source that is a list."""

    entries: Sequence[Sample | Skipped]
    classes: ClassList = CLASSES
    identity: str = "made"
    layout: str = "made"
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.entries)

    def read(self, start: int, stop: int) -> Iterator[Sample | Skipped]:
        yield from self.entries[start:stop]

    def range_identity(self, start: int, stop: int) -> str:
        return digest([repr(entry) for entry in self.entries[start:stop]])

    def labels(self) -> list[int | None]:
        return [entry.label if isinstance(entry, Sample) else None for entry in self.entries]


@dataclass(frozen=True)
class First:
    """The first entries of a source."""

    source: Source
    count: int
    layout: str = field(init=False)
    identity: str = field(init=False)
    classes: ClassList = field(init=False)
    notes: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        for name in ("layout", "identity", "classes", "notes"):
            object.__setattr__(self, name, getattr(self.source, name))

    def __len__(self) -> int:
        return self.count

    def read(self, start: int, stop: int) -> Iterator[Sample | Skipped]:
        return self.source.read(start, min(stop, self.count))

    def range_identity(self, start: int, stop: int) -> str:
        return self.source.range_identity(start, min(stop, self.count))

    def labels(self) -> list[int | None]:
        return self.source.labels()[: self.count]


def made_source() -> ListSource:
    """Eleven entries: labelled, unlabelled, with a field, skipped."""
    entries: list[Sample | Skipped] = [made_sample(number, number % 3) for number in range(8)]
    entries.insert(2, Skipped("broken.png", "zero bytes"))
    entries.append(made_sample(8, None))
    entries.append(made_sample(9, 2, camera="front", session=7))
    return ListSource(entries)


def build(
    source: Source,
    store: Store,
    folder: str = FOLDER,
    *,
    samples_per_shard: int = 3,
    order: Iterable[int] | None = None,
) -> Manifest:
    recipe = recipe_for(source, "made", "test", samples_per_shard)
    for shard in range(recipe.shard_count) if order is None else order:
        build_shard(source, store, folder, recipe, shard)
    return finish(source, store, folder, recipe)
