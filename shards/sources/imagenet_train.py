"""ImageNet-1k training images in their official layout: one tar that holds a tar for each class.

Read in place: of the 1,000 inner tars only headers are read to list them, and nothing is unpacked.
Layout: https://image-net.org, ILSVRC2012 readme.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shards.errors import SourceError
from shards.sample import ClassList, Sample, Skipped
from shards.sources.builtin import imagenet_classes
from shards.sources.listing import Entries, Found, sample_of
from shards.sources.official import md5_note
from shards.sources.source import digest, printable
from shards.sources.tars import read_in_place, scan_tar

TRAIN_IMAGES = "ILSVRC2012_img_train.tar"
LAYOUT = "imagenet official train tar"
SUFFIX = ".tar"


@dataclass(frozen=True, eq=False)
class ImagenetTrainSource:
    """The training images by WordNet id and name, read in place from the tar of tars."""

    tar: Path
    classes: ClassList
    identity: str
    state: tuple[int, int]
    entries: Entries

    @classmethod
    def open(cls, tar: Path) -> "ImagenetTrainSource":
        """The training images in ``tar``.

        Raises:
            SourceError: it or an inner tar is damaged, or it holds no tars.
        """
        with tar.open("rb") as file:
            facts = tar.stat()
            entries = Entries.of(_labelled(file.fileno(), tar))
        state = (facts.st_size, facts.st_mtime_ns)
        return cls(tar, imagenet_classes(), digest(LAYOUT, entries.digest(), state), state, entries)

    @property
    def layout(self) -> str:
        return LAYOUT

    @property
    def notes(self) -> tuple[str, ...]:
        note = md5_note(self.tar)
        return (*([note] if note else []), *self.entries.notes_on(self.classes))

    def __len__(self) -> int:
        return len(self.entries)

    def range_identity(self, start: int, stop: int) -> str:
        return self.entries.range_digest(start, stop, LAYOUT, self.state)

    def labels(self) -> list[int | None]:
        return self.entries.labels()

    def read(self, start: int, stop: int) -> Iterator[Sample | Skipped]:
        for entry, image in read_in_place(self.tar, self.entries.rows(start, stop)):
            if entry.refusal is not None or entry.label is None:
                yield Skipped(entry.name, entry.refusal or "no such class")
            else:
                yield sample_of(entry, image, {"wnid": self.classes.ids[entry.label]})


def _labelled(descriptor: int, tar: Path) -> Iterator[tuple[Found, int | str]]:
    index_of = {wnid: index for index, wnid in enumerate(imagenet_classes().ids)}
    outer = sorted(scan_tar(descriptor, str(tar)))
    if not any(member.name.endswith(SUFFIX) for member in outer):
        raise SourceError(f"{tar} holds no tars of classes; point `location` at {TRAIN_IMAGES}")
    for member in outer:
        if member.refusal or not member.name.endswith(SUFFIX):
            yield member, "not a tar of a class"
            continue
        wnid = printable(member.name).removesuffix(SUFFIX).rsplit("/", 1)[-1]
        label = index_of.get(wnid, f"no such class: {wnid}")
        yield from ((inner, label) for inner in _inner(descriptor, tar, member))


def _inner(descriptor: int, tar: Path, outer: Found) -> Iterator[Found]:
    """The members of an inner tar by name, named as if they lay in a folder of its class."""
    where, stop = f"{tar}: {printable(outer.name)}", outer.place + outer.size
    folder = outer.name.removesuffix(SUFFIX)
    before: str | None = None
    for member in sorted(scan_tar(descriptor, where, outer.place, stop)):
        refusal = "duplicate name" if member.name == before else member.refusal
        before = member.name
        yield member._replace(name=f"{folder}/{member.name}", refusal=refusal)
