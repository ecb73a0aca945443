"""Sources that remember what was read of them, and what a build left."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from shards.sample import Sample, Skipped
from shards.store import Store
from tests.shards import made
from tests.shards.made import FOLDER


@dataclass(frozen=True)
class ListSource(made.ListSource):
    """A source that is a list, and remembers which ranges of it were read."""

    ranges_read: list[tuple[int, int]] = field(default_factory=list, compare=False)

    def read(self, start: int, stop: int) -> Iterator[Sample | Skipped]:
        self.ranges_read.append((start, stop))
        return super().read(start, stop)


def made_source() -> ListSource:
    return ListSource(made.made_source().entries)


def files(store: Store, folder: str = FOLDER) -> dict[str, bytes]:
    """Every file below ``folder``, hidden ones too."""
    root = Path(store.locate(folder))
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }
