"""Which tars are the WebDataset shards of a split: names, counts, and the classes beside them."""

import re
from collections.abc import Sequence
from pathlib import Path

from shards.errors import ShardError, SourceError
from shards.manifest import MANIFEST_NAME, Manifest
from shards.sample import ClassList
from shards.sources.builtin import builtin_classes
from shards.sources.files import EVERYTHING
from shards.sources.listing import split_names
from shards.sources.source import SourceSpec

PACKED = (".tar.gz", ".tgz", ".tar.zst", ".tar.xz", ".tar.bz2")
CLASS_NAMES = "classnames.txt"
SHARD_COUNT = "nshards.txt"
SPLIT_WORDS = ("train", "val", "validation", "test")


def find_shards(location: Path, split: str, include: str = EVERYTHING) -> list[Path]:
    """The tars of ``split`` by name, numbers in their order; empty if there are none.

    Without ``include`` these are the tars in a sub-folder called like the split, else those of the
    location; of them, if names end in a split and a number, the ones of this split.

    Raises:
        SourceError: shards that ought to be there are not, or they are packed.
    """
    if location.is_file():
        return [location]
    if include != EVERYTHING:
        try:
            chosen = [path for path in location.glob(include) if path.is_file()]
        except (ValueError, NotImplementedError) as error:
            raise SourceError(f"include {include!r} is not a glob: {error}") from error
        return sorted(chosen, key=_by_number)
    for folder in (*(location / name for name in split_names(split)), location):
        tars = sorted((p for p in folder.glob("*.tar") if p.name[0] != "."), key=_by_number)
        if tars:
            _check_complete(folder, tars)
            return _of_split(tars, split)
        if packed := [path for path in folder.glob("*") if path.name.endswith(PACKED)]:
            raise SourceError(f"{packed[0]} is packed; unpack it to a plain .tar to read it")
    return []


def shard_classes(spec: SourceSpec, folder: Path) -> ClassList | None:
    """The classes that the spec declares, else those named beside the shards in ``folder``."""
    match spec.classes:
        case None:
            return _classes_beside(folder)
        case tuple():
            return _of_names(spec.classes, "classes")
        case _:
            return builtin_classes(spec.classes)


def _by_number(path: Path) -> list[int | str]:
    pieces = re.split(r"([0-9]+)", path.as_posix())
    return [int(piece) if odd % 2 else piece for odd, piece in enumerate(pieces)]


def _of_split(tars: Sequence[Path], split: str) -> list[Path]:
    """Those whose name ends in the split and a number; all, if none ends in any split."""
    words = {tar: _last_word(tar.stem) for tar in tars}
    ours = [tar for tar in tars if words[tar] in split_names(split)]
    others = sorted({word for word in words.values() if word in SPLIT_WORDS})
    if not ours and others:
        raise SourceError(f"{tars[0].parent} has shards of {', '.join(others)}, none of {split}")
    return ours or list(tars)


def _last_word(stem: str) -> str:
    """``validation`` of ``imagenet1k-validation-00`` or ``x_validation_00-of-64``."""
    return re.split(r"[-_.]", re.sub(r"[-_.]*[0-9]+([-_.]of[-_.][0-9]+)?$", "", stem))[-1].lower()


def _check_complete(folder: Path, tars: Sequence[Path]) -> None:
    there = {tar.name for tar in tars}
    count = folder / SHARD_COUNT
    if count.is_file():
        text = count.read_text(errors="replace").strip()
        if text != str(len(there)):
            raise SourceError(f"{count} says {text} shards, {len(there)} are there; fetch them all")
    manifest = _manifest(folder)
    missing = (
        [entry.url for entry in manifest.shardlist if entry.url not in there] if manifest else []
    )
    if missing:
        raise SourceError(f"{folder}: {missing[0]} of {MANIFEST_NAME} is missing; fetch it")


def _manifest(folder: Path) -> Manifest | None:
    path = folder / MANIFEST_NAME
    try:
        return Manifest.from_json(path.read_bytes(), str(path)) if path.is_file() else None
    except ShardError:
        return None  # another tool's


def _classes_beside(folder: Path) -> ClassList | None:
    """By ``classnames.txt`` in the folder or above it, or by a manifest of ours."""
    for path in (folder / CLASS_NAMES, folder.parent / CLASS_NAMES):
        if path.is_file():
            lines = path.read_text("utf-8", errors="replace").splitlines()
            names = tuple(line.strip() for line in lines if line.strip())
            unique = len(set(names)) == len(names)
            return ClassList(names, names if unique else tuple(map(str, range(len(names)))))
    manifest = _manifest(folder)
    return manifest.classes if manifest else None


def _of_names(names: tuple[str, ...], where: str) -> ClassList:
    try:
        return ClassList.of_names(names)
    except ValueError as error:
        raise SourceError(f"{where}: {error}") from error
