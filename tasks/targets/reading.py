"""A file of labels → an overlay: CSV, JSON, or the list that ReaL publishes."""

import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from shards.errors import InputError
from shards.sample import ClassList
from shards.sources.builtin import label_index
from tasks.targets.overlay import OverlayKind, OverlaySpec, TargetOverlay

REAL_KEY = "ILSVRC2012_val_{number:08d}"
"""Entry i of a list belongs to validation image i + 1, as in ReaL's real.json.
Source: Beyer et al. (2020), Are we done with ImageNet?, and
https://github.com/google-research/reassessed-imagenet
"""
FORMS = (
    "write CSV with the columns key and label, JSON that maps keys to labels or to lists of "
    "labels, or the list of ReaL's real.json"
)
Labels = dict[str, tuple[int, ...]]


def read_overlay(spec: OverlaySpec, classes: ClassList) -> TargetOverlay:
    """The labels in a file, as indices of ``classes``.

    A label is a class id, a class name that is unique, or a class index. No label (an empty cell,
    null, an empty list) leaves the sample out.

    Raises:
        InputError: unreadable; a key stands twice; a label is no class; or several labels where
            one is right. Names the file and the line or key.
    """
    try:
        raw = spec.file.read_bytes()
        text = raw.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"targets {spec.file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"targets {spec.file} is no UTF-8 text ({error}); {FORMS}") from error
    index = _Classes(spec.file, classes)
    if spec.file.suffix.lower() == ".json":
        labels, found = _of_json(text, index)
    else:
        labels, found = _of_csv(text, index), "corrected"
    kind = spec.kind or found
    if kind == "corrected":
        _refuse_several(labels, spec.file)
    return TargetOverlay.of(
        labels,
        kind,
        file=spec.file.name,
        file_sha256=hashlib.sha256(raw).hexdigest(),
        subset=spec.subset,
    )


class _Classes:
    """The classes that labels of a file may name."""

    def __init__(self, file: Path, classes: ClassList) -> None:
        self.file = file
        self._count = len(classes)
        self._names = classes.names
        self._index_of = label_index(classes)

    def index(self, label: object, where: str) -> int:
        """The class of a label. Raises InputError that names ``where`` it stands."""
        found: int | None = None
        if isinstance(label, str):
            found = self._index_of.get(label.strip())
        elif isinstance(label, int) and not isinstance(label, bool) and 0 <= label < self._count:
            found = label
        if found is not None:
            return found
        shared = isinstance(label, str) and self._names.count(label.strip()) > 1
        fault = "names several classes" if shared else f"is none of the {self._count} classes"
        raise InputError(
            f"targets {self.file}, {where}: the label {label!r} {fault}; write a class id, a "
            f"unique class name, or an index from 0 to {self._count - 1}"
        )


def _of_csv(text: str, classes: _Classes) -> Labels:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    labels: Labels = {}
    lines: dict[str, int] = {}
    try:
        if not {"key", "label"} <= set(reader.fieldnames or ()):
            raise InputError(
                f"targets {classes.file}, line 1: the columns key and label are needed; {FORMS}"
            )
        for row in reader:
            where = f"line {reader.line_num}"
            key, label = row["key"], row["label"]
            if not key or label is None:
                raise InputError(f"targets {classes.file}, {where}: a key and a label are needed")
            if key in labels:
                raise InputError(
                    f"targets {classes.file}, {where}: the key {key} stands also in line "
                    f"{lines[key]}; remove one of them"
                )
            labels[key] = (classes.index(label, f"{where}, key {key}"),) if label.strip() else ()
            lines[key] = reader.line_num
    except csv.Error as error:
        raise InputError(
            f"targets {classes.file}, after line {reader.line_num}: {error}; {FORMS}"
        ) from error
    return labels


def _of_json(text: str, classes: _Classes) -> tuple[Labels, OverlayKind]:
    repeated: list[str] = []

    def once(pairs: Sequence[tuple[str, object]]) -> Mapping[str, object]:
        found = dict(pairs)
        if len(found) != len(pairs):
            counts = Counter(key for key, _ in pairs)
            repeated.extend(key for key, count in counts.items() if count > 1)
        return found

    try:
        tree = json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise InputError(f"targets {classes.file} is not readable as JSON ({error})") from error
    if repeated:
        raise InputError(
            f"targets {classes.file}: the key {repeated[0]} stands twice; remove one of them"
        )
    if isinstance(tree, list):
        tree = {REAL_KEY.format(number=place + 1): entry for place, entry in enumerate(tree)}
    if not isinstance(tree, dict):
        raise InputError(f"targets {classes.file}: neither keys nor a list; {FORMS}")
    several = any(isinstance(entry, list) for entry in tree.values())
    labels = {
        key: tuple(
            classes.index(label, f"key {key}")
            for label in (entry if isinstance(entry, list) else [] if entry is None else [entry])
        )
        for key, entry in tree.items()
    }
    return labels, "acceptable" if several else "corrected"


def _refuse_several(labels: Labels, file: Path) -> None:
    for key, indices in labels.items():
        if len(set(indices)) > 1:
            raise InputError(
                f"targets {file}, key {key}: {len(indices)} labels, where a corrected label is "
                f"one; set `kind: acceptable` if any of them is right"
            )
