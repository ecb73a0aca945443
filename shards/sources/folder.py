"""Images in a folder: one sub-folder per class, or labels in the file names."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from shards.errors import SourceError
from shards.image import read_header
from shards.sample import ClassList, Sample, Skipped, webdataset_key
from shards.sources.cifar import CIFAR10_CLASSES
from shards.sources.source import SourceSpec, digest, printable

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg"})


def imagenet_classes() -> ClassList:
    """The 1,000 classes of ILSVRC2012: sorted WordNet ids, and the first word of each synset.

    Words: WordNet 3.0, Princeton University; the licence stands in the head of the table.
    """
    table = resources.files("shards.sources").joinpath("imagenet_classes.tsv").read_text("utf-8")
    rows = [line.split("\t") for line in table.splitlines() if not line.startswith("#")]
    return ClassList(names=tuple(row[1] for row in rows), ids=tuple(row[0] for row in rows))


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    name: str
    key: str
    label: str | None


@dataclass(frozen=True)
class FolderSource:
    """Image files below a folder, sorted by path."""

    layout: str
    root: Path
    classes: ClassList
    identity: str
    files: tuple[_File, ...]

    @classmethod
    def open(cls, spec: SourceSpec) -> "FolderSource":
        """The files that ``spec.include`` matches below ``spec.location``.

        Raises:
            SourceError: no folder, no file, or a pattern that is no pattern.
        """
        root = spec.location
        if not root.is_dir():
            raise SourceError(f"{root}: no such folder; point `location` at a folder of images")
        try:
            paths = sorted(path for path in root.glob(spec.include) if _is_visible(path, root))
        except (ValueError, NotImplementedError) as error:
            raise SourceError(f"include {spec.include!r} is not a glob: {error}") from error
        if not paths:
            raise SourceError(f"{root}: no file matches {spec.include!r}")
        labels = [_label_text(path, root, spec.label_pattern) for path in paths]
        folders = _class_names(paths, labels)
        classes = _class_list(spec.classes, folders)
        names = [printable(path.relative_to(root).as_posix()) for path in paths]
        keys = _unique_keys(names)
        files = tuple(_File(*row) for row in zip(paths, names, keys, labels, strict=True))
        stats = [path.stat() for path in paths]
        listing = [
            [name, stat.st_size, stat.st_mtime_ns] for name, stat in zip(names, stats, strict=True)
        ]
        identity = digest("folder", listing, spec.label_pattern, classes.ids, classes.names)
        layout = "folder, labels in file names" if spec.label_pattern else "folder per class"
        return cls(layout, root, classes, identity, files)

    def __len__(self) -> int:
        return len(self.files)

    def read(self, start: int, stop: int) -> Iterator[Sample | Skipped]:
        index_of = _label_index(self.classes)
        for file in self.files[start:stop]:
            yield self._sample(file, index_of)

    def _sample(self, file: _File, index_of: dict[str, int]) -> Sample | Skipped:
        if Path(file.name).suffix.lower() not in IMAGE_SUFFIXES:
            return Skipped(source_name=file.name, reason="not named like an image")
        if file.label is None:
            return Skipped(source_name=file.name, reason="no label in its name")
        if file.label not in index_of:
            return Skipped(source_name=file.name, reason=f"no such class: {file.label}")
        try:
            image = file.path.read_bytes()
            header = read_header(image)
        except OSError as error:
            return Skipped(source_name=file.name, reason=error.strerror or "unreadable")
        except ValueError as error:
            return Skipped(source_name=file.name, reason=str(error))
        return Sample(file.key, image, header, index_of[file.label], file.name)


def _is_visible(path: Path, root: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
    return path.is_file() and not hidden


def _class_names(paths: list[Path], labels: list[str | None]) -> tuple[str, ...]:
    """The labels of image files; in the order of numbers if all of them are numbers."""
    found = {
        label
        for path, label in zip(paths, labels, strict=True)
        if label is not None and path.suffix.lower() in IMAGE_SUFFIXES
    }
    numeric = all(label.isdecimal() for label in found)
    return tuple(sorted(found, key=lambda label: (int(label), label)) if numeric else sorted(found))


def _label_text(path: Path, root: Path, pattern: str | None) -> str | None:
    if pattern is None:
        return printable(path.relative_to(root).parts[0]) if path.parent != root else None
    try:
        matched = re.search(pattern, path.name)
        return printable(matched.group(1)) if matched and matched.group(1) else None
    except (re.error, IndexError) as error:
        raise SourceError(
            f"label_pattern {pattern!r}: {error}; it needs one group around the label"
        ) from error


def _class_list(declared: str | tuple[str, ...] | None, folders: tuple[str, ...]) -> ClassList:
    match declared:
        case "cifar10":
            return CIFAR10_CLASSES
        case "imagenet":
            return imagenet_classes()
        case tuple():
            try:
                return ClassList.of_names(declared)
            except ValueError as error:
                raise SourceError(f"classes: {error}") from error
        case _:
            return ClassList.of_names(folders)


def _label_index(classes: ClassList) -> dict[str, int]:
    """Class ids, then names that are unique, to class indices; and the indices themselves, unless
    ids or names are numbers too, which would give one label two meanings.
    """
    counted = Counter(classes.names)
    ambiguous = any(word.isdecimal() for word in (*classes.ids, *classes.names))
    numbers = {} if ambiguous else {str(index): index for index in range(len(classes))}
    names = {name: index for index, name in enumerate(classes.names) if counted[name] == 1}
    return numbers | names | {key: index for index, key in enumerate(classes.ids)}


def _unique_keys(names: list[str]) -> list[str]:
    """Base names where they are unique, else the whole path, else with a number behind."""
    short = [webdataset_key(name) for name in names]
    counted = Counter(short)
    keys: list[str] = []
    taken: set[str] = set()
    for name, key in zip(names, short, strict=True):
        wanted = key if counted[key] == 1 else webdataset_key(name.replace("/", "_"))
        unique, number = wanted, 2
        while unique in taken:
            unique, number = f"{wanted[:80]}-{number}", number + 1
        taken.add(unique)
        keys.append(unique)
    return keys
