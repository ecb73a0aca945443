"""Images in a plain tar of their publisher, sorted by name and read in place."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shards.sample import ClassList, Sample, Skipped
from shards.sources.imagenet_folder import CLASS_FIELD
from shards.sources.listing import Entries, Found, sample_of
from shards.sources.official import md5_note
from shards.sources.tars import read_in_place, scan_tar


@dataclass(frozen=True, eq=False)
class TarSource:
    """The images of ImageNet's official tars.

    Attributes:
        state: what moves when the tar is another: its size, its time of change (ns), and the like.
        kit: a further file that was read, and may be noted as not the official one.
    """

    layout: str
    tar: Path
    classes: ClassList
    identity: str
    state: tuple[int, int, *tuple[str, ...]]
    entries: Entries
    kit: Path | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        notes = (md5_note(path) for path in (self.tar, self.kit) if path and path.is_file())
        return (*(note for note in notes if note), *self.entries.notes_on(self.classes))

    def __len__(self) -> int:
        return len(self.entries)

    def range_identity(self, start: int, stop: int) -> str:
        return self.entries.range_digest(start, stop, self.layout, self.state)

    def labels(self) -> list[int | None]:
        return self.entries.labels()

    def read(self, start: int, stop: int) -> Iterator[Sample | Skipped]:
        rows = self.entries.rows(start, stop)
        for entry, image in read_in_place(self.tar, self.state[:2], rows):
            if entry.refusal is not None or entry.label is None:
                yield Skipped(entry.name, entry.refusal or "no such class")
            else:
                yield sample_of(entry, image, {CLASS_FIELD: self.classes.ids[entry.label]})


def sorted_members(
    descriptor: int, where: str, start: int = 0, stop: int | None = None
) -> Iterator[Found]:
    """What ``scan_tar`` finds, by name; of equal names the first is taken, the others refused.

    Raises:
        SourceError: see ``scan_tar``.
    """
    before: str | None = None
    for member in sorted(scan_tar(descriptor, where, start, stop)):
        yield member._replace(refusal="duplicate name") if member.name == before else member
        before = member.name
