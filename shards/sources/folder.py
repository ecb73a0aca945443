"""Images in a folder: one sub-folder per class, or labels in the file names."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from shards.errors import SourceError
from shards.sample import ClassList, Sample, Skipped
from shards.sources.builtin import builtin_classes, imagenet_classes, label_index
from shards.sources.files import changed, list_folder
from shards.sources.listing import Entries, Entry, Found, sample_of
from shards.sources.source import SourceSpec, digest, printable

__all__ = ["FolderSource", "imagenet_classes"]

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg"})
NO_IMAGE_NAME = "not named like an image"


@dataclass(frozen=True, eq=False)
class FolderSource:
    """Image files below a folder, sorted by path.

    ``class_field`` is the field of the samples that takes their class id, if there is to be one.
    """

    layout: str
    root: Path
    classes: ClassList
    identity: str
    notes: tuple[str, ...]
    entries: Entries
    class_field: str | None

    @classmethod
    def open(cls, spec: SourceSpec) -> "FolderSource":
        """The files that ``spec.include`` matches below ``spec.location``.

        Without a label pattern, those that lie in no sub-folder are unlabelled.

        Raises:
            SourceError: no folder, no file, a pattern that is no pattern, or nothing that says the
                classes.
        """
        source = cls.listed(spec)
        if spec.label_pattern is None and not len(source.classes):
            raise SourceError(
                f"{spec.location}: no sub-folder holds images, so nothing says the classes; give "
                f"`classes`, and `label_pattern` if the labels stand in the file names"
            )
        return source

    @classmethod
    def listed(cls, spec: SourceSpec) -> "FolderSource":
        """Like ``open``, but the list of classes may be empty. Raises SourceError."""
        files = list_folder(spec.location, spec.include)
        texts = [_label_text(file.name, spec.label_pattern) for file in files]
        classes = _class_list(spec.classes, _class_names(files, texts))
        index_of = label_index(classes)
        labels: list[int | str | None] = []
        for text in texts:
            if text is None:
                labels.append("no label in its name" if spec.label_pattern else None)
            else:
                labels.append(index_of.get(text, f"no such class: {text}"))
        layout = "folder, labels in file names" if spec.label_pattern else "folder per class"
        return cls.of(layout, spec.location, classes, files, labels, (spec.label_pattern,))

    @classmethod
    def of(
        cls,
        layout: str,
        root: Path,
        classes: ClassList,
        files: Sequence[Found],
        labels: Sequence[int | str | None],
        options: tuple[object, ...] = (),
        *,
        notes: tuple[str, ...] = (),
        class_field: str | None = None,
    ) -> "FolderSource":
        """The files with these labels; a string is a reason to skip, None is unlabelled."""
        entries = Entries.of(
            (file, label if is_image_name(file.name) else NO_IMAGE_NAME)
            for file, label in zip(files, labels, strict=True)
        )
        identity = digest("folder", entries.digest(), options, classes.ids, classes.names)
        return cls(layout, root, classes, identity, notes, entries, class_field)

    def __len__(self) -> int:
        return len(self.entries)

    def range_identity(self, start: int, stop: int) -> str:
        return self.entries.range_digest(start, stop, "folder", self.class_field)

    def labels(self) -> list[int | None]:
        return self.entries.labels()

    def read(self, start: int, stop: int) -> Iterator[Sample | Skipped]:
        """Raises SourceError: a file is gone, changed or cannot be read since it was listed."""
        root = os.fsencode(self.root)
        for entry in self.entries.rows(start, stop):
            yield self._sample(root, entry)

    def _sample(self, root: bytes, entry: Entry) -> Sample | Skipped:
        if entry.refusal is not None:
            return Skipped(entry.name, entry.refusal)
        path = os.path.join(root, entry.path)  # noqa: PTH118 bytes
        try:
            with open(path, "rb") as file:  # noqa: PTH123 bytes
                image = file.read()
                facts = os.fstat(file.fileno())
        except OSError as error:
            raise SourceError(
                f"{self.root}: {entry.name} was listed and cannot be read "
                f"({error.strerror or error}); mend that and run again"
            ) from error
        if (len(image), facts.st_mtime_ns) != (entry.size, entry.place):
            raise changed(f"{self.root}: {entry.name}")
        fields = {}
        if self.class_field is not None and entry.label is not None:
            fields[self.class_field] = self.classes.ids[entry.label]
        return sample_of(entry, image, fields)


def is_image_name(name: str) -> bool:
    """Whether a file of that name ought to be an image."""
    return PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES


def _class_names(files: Sequence[Found], labels: Sequence[str | None]) -> tuple[str, ...]:
    """The labels of image files; in the order of numbers if all of them are numbers."""
    found = {
        label
        for file, label in zip(files, labels, strict=True)
        if label is not None and is_image_name(file.name)
    }
    numeric = all(label.isdecimal() for label in found)
    return tuple(sorted(found, key=lambda label: (int(label), label)) if numeric else sorted(found))


def _label_text(name: str, pattern: str | None) -> str | None:
    if pattern is None:
        folder, slash, _ = name.partition("/")
        return printable(folder) if slash else None
    try:
        matched = re.search(pattern, name.rsplit("/", 1)[-1])
        return printable(matched.group(1)) if matched and matched.group(1) else None
    except (re.error, IndexError) as error:
        raise SourceError(
            f"label_pattern {pattern!r}: {error}; it needs one group around the label"
        ) from error


def _class_list(declared: str | tuple[str, ...] | None, folders: tuple[str, ...]) -> ClassList:
    match declared:
        case tuple():
            try:
                return ClassList.of_names(declared)
            except ValueError as error:
                raise SourceError(f"classes: {error}") from error
        case "cifar10" | "cifar100" | "imagenet" | "mnist" | "fashion-mnist":
            return builtin_classes(declared)
        case _:
            return ClassList.of_names(folders)
