"""What lies at a location: every layout is tried, and what opens is looked at."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from shards.errors import InputError, SourceError
from shards.order import read_positions
from shards.sample import ClassList, Sample, Skipped
from shards.sources.folder import IMAGE_SUFFIXES, FolderSource
from shards.sources.opening import open_source
from shards.sources.source import Source, SourceKind, SourceSpec

Opener = Callable[[SourceSpec, str], Source]

SPECIFIC: tuple[tuple[SourceKind, tuple[str, ...]], ...] = (
    ("cifar10", ("test", "train")),
    ("cifar100", ("test", "train")),
    ("mnist", ("test", "train")),
    ("fashion-mnist", ("test", "train")),
    ("imagenet", ("val", "train", "test")),
)
GENERAL: tuple[tuple[SourceKind, tuple[str, ...]], ...] = (
    ("webdataset", ("test", "val", "train")),
    ("parquet", ("test", "val", "train")),
)
GENERAL_KINDS = [kind for kind, _ in GENERAL]
SPLIT_FOLDERS = {
    "test": "test",
    "testing": "test",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "train": "train",
    "training": "train",
}
LOOKED_AT = 8
"""Entries that are read at the beginning, in the middle and at the end."""
UNEVEN = 2.0
LABEL_PATTERN = r"[_-](\d+)\.\w+$"


@dataclass(frozen=True)
class Inspected:
    """A source that could be opened, and what a look at it showed.

    Attributes:
        spec: what opened it.
        split: the split's name in the plan.
        layout: the layout that was recognised.
        entries: entries of the source, readable or not.
        classes: all classes; the position is the class index.
        counts: labelled entries per class.
        notes: what is odd about the source as a whole.
        looked_at: so many entries, spread over the source, were read.
        forms: suffix, width and height of those that are samples, the most frequent first.
        skipped: the reasons why the others are none, with one name each.
        hints: what the plan may want to say in addition.
    """

    spec: SourceSpec
    split: str
    layout: str
    entries: int
    classes: ClassList
    counts: tuple[int, ...]
    notes: tuple[str, ...]
    looked_at: int
    forms: tuple[tuple[tuple[str, int, int], int], ...]
    skipped: tuple[tuple[str, int, str], ...]
    hints: tuple[str, ...]

    @property
    def unlabelled(self) -> int:
        """Entries without a known label; some may be skipped."""
        return self.entries - sum(self.counts)

    @property
    def present(self) -> int:
        """Classes that have an entry."""
        return sum(1 for count in self.counts if count)

    @property
    def is_uneven(self) -> bool:
        found = [count for count in self.counts if count]
        return bool(found) and max(found) > UNEVEN * min(found)


def open_for_a_look(spec: SourceSpec, split: str) -> Source:
    """Like ``open_source``, but a folder may be opened although nothing says its classes."""
    return FolderSource.listed(spec) if spec.source == "folder" else open_source(spec, split)


def inspect_location(location: Path, opener: Opener = open_for_a_look) -> tuple[Inspected, ...]:
    """Everything that a plan could use at ``location``: one result per source and split.

    Layouts of known datasets come first; only where there is none, shards, Parquet and folders of
    images are tried, in this order.

    Raises:
        InputError: nothing is recognised, and lists what was looked for; or it cannot be read.
    """
    try:
        location.stat()
        if location.is_dir():
            next(location.iterdir(), None)
    except OSError as error:
        told = (error.strerror or str(error)).lower()
        raise InputError(f"{location}: {told}") from error
    refusals: dict[str, str] = {}
    found = [
        opened
        for kind, splits in SPECIFIC
        for opened in _open(kind, splits, location, opener, refusals)
    ]
    for kind, splits in GENERAL:
        found = found or list(_open(kind, splits, location, opener, refusals))
    found = found or list(_open_folders(location, opener, refusals))
    if not found:
        looked_for = "".join(f"\n  {kind}: {refusal}" for kind, refusal in refusals.items())
        raise InputError(f"{location}: nothing here is recognised; looked for{looked_for}")
    return tuple(_look_at(*opened) for opened in _likeliest(found))


Opened = tuple[SourceSpec, str, Source]


def _open(
    kind: SourceKind,
    splits: Sequence[str],
    location: Path,
    opener: Opener,
    refusals: dict[str, str],
) -> Iterator[Opened]:
    """The splits that open; where several are the same entries, the first of them."""
    seen: set[str] = set()
    spec = SourceSpec(source=kind, location=location)
    for split in splits:
        try:
            source = opener(spec, split)
        except SourceError as error:
            refusals.setdefault(kind, " ".join(str(error).split()))
            continue
        if len(source) and source.identity not in seen and _is_plausible(kind, source):
            seen.add(source.identity)
            yield spec, split, source


def _is_plausible(kind: SourceKind, source: Source) -> bool:
    """Containers say little of the dataset in them: its labels must reach into its classes."""
    if kind in GENERAL_KINDS or not any(word in source.layout for word in GENERAL_KINDS):
        return True
    labels = [label for label in source.labels() if label is not None]
    reach = max(labels, default=-1) + 1
    return 2 * reach >= len(source.classes) and 2 * len(labels) >= len(source)


def _open_folders(location: Path, opener: Opener, refusals: dict[str, str]) -> Iterator[Opened]:
    """The folder, or those of its sub-folders that are called like splits."""
    if not location.is_dir():
        refusals["folder"] = f"{location} is a file"
        return
    inside = {path: SPLIT_FOLDERS.get(path.name.lower()) for path in sorted(location.iterdir())}
    splits = {path: split for path, split in inside.items() if split and path.is_dir()}
    for folder, split in (splits or {location: _split_of(location)}).items():
        for opened in _open("folder", (split,), folder, opener, refusals):
            if any(_is_image(result) for result in _look(opened[2])):
                yield opened
            else:
                refusals["folder"] = f"{folder}: no PNG or JPEG among the files looked at"


def _split_of(location: Path) -> str:
    return SPLIT_FOLDERS.get(location.name.lower(), "test")


def _likeliest(found: Sequence[Opened]) -> Iterator[Opened]:
    """Where two datasets share a layout, those that are odd for one of them are left out."""
    twins = {"mnist", "fashion-mnist"}
    pairs: dict[str, list[Opened]] = {}
    for opened in found:
        if opened[0].source in twins:
            pairs.setdefault(opened[1], []).append(opened)
    for opened in found:
        rivals = pairs.get(opened[1], []) if opened[0].source in twins else []
        if all(len(opened[2].notes) <= len(rival[2].notes) for rival in rivals):
            yield opened


def _look(source: Source) -> list[Sample | Skipped]:
    """A few entries at the beginning, in the middle and at the end."""
    count = len(source)
    starts = (0, (count - LOOKED_AT) // 2, count - LOOKED_AT)
    wanted = {start + step for start in starts for step in range(LOOKED_AT)}
    return list(read_positions(source, sorted(p for p in wanted if 0 <= p < count)))


def _is_image(result: Sample | Skipped) -> bool:
    suffix = PurePosixPath(result.source_name).suffix.lower()
    return isinstance(result, Sample) or suffix in IMAGE_SUFFIXES


def _look_at(spec: SourceSpec, split: str, source: Source) -> Inspected:
    results = _look(source)
    counted = Counter(label for label in source.labels() if label is not None)
    forms = Counter(
        (result.header.suffix, result.header.width, result.header.height)
        for result in results
        if isinstance(result, Sample)
    )
    skipped = [result for result in results if isinstance(result, Skipped)]
    reasons = Counter(entry.reason for entry in skipped)
    first = {entry.reason: entry.source_name for entry in reversed(skipped)}
    return Inspected(
        spec=spec,
        split=split,
        layout=source.layout,
        entries=len(source),
        classes=source.classes,
        counts=tuple(counted.get(index, 0) for index in range(len(source.classes))),
        notes=source.notes,
        looked_at=len(results),
        forms=tuple(forms.most_common()),
        skipped=tuple((reason, count, first[reason]) for reason, count in reasons.most_common()),
        hints=tuple(_hints(spec, source, results)),
    )


def _hints(spec: SourceSpec, source: Source, results: Sequence[Sample | Skipped]) -> Iterator[str]:
    if spec.source != "folder" or len(source.classes):
        return
    images = [result.source_name for result in results if _is_image(result)]
    yield (
        "no classes: no sub-folder holds images; give `classes`, and `label_pattern` if the labels "
        "stand in the file names"
    )
    if all(re.search(LABEL_PATTERN, name) for name in images):
        yield f"the names end in a number: if it is the class, label_pattern: '{LABEL_PATTERN}'"
