"""ImageNet-1k in folders: extracted by WordNet id, and as Kaggle's CLS-LOC challenge has it.

A class index is the position among all 1,000 sorted WordNet ids, whichever of them have a folder.
Layout of CLS-LOC: https://www.kaggle.com/c/imagenet-object-localization-challenge/data.
"""

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from shards.errors import SourceError
from shards.sources.builtin import imagenet_classes
from shards.sources.files import list_folder
from shards.sources.folder import FolderSource
from shards.sources.listing import split_names
from shards.sources.source import printable

CLS_LOC = Path("ILSVRC/Data/CLS-LOC")
SOLUTION = "LOC_val_solution.csv"
CLASS_FIELD = "wnid"

Label = int | str | None
Labeller = Callable[[str], Label]
"""From the name of a file to its class index, why it has none (text), or None: unlabelled."""


def image_folder(location: Path, split: str) -> Path | None:
    """The folder with a sub-folder per WordNet id: that of the split, or the location itself."""
    known = set(imagenet_classes().ids)
    for folder in (*(location / name for name in split_names(split)), location):
        if folder.is_dir() and any(child.name in known for child in folder.iterdir()):
            return folder
    return None


def open_image_folder(folder: Path) -> FolderSource:
    """The images below ``folder``, in sub-folders named by WordNet ids.

    Raises:
        SourceError: there is no file.
    """
    return _opened("imagenet folder per WordNet id", folder, _by_folder())


def open_flat_folder(folder: Path, label_of: Labeller) -> FolderSource:
    """Validation images as the official tar unpacks, labelled by the ground truth.

    Raises:
        SourceError: there is no file.
    """
    return _opened("imagenet official val folder", folder, label_of)


def kaggle_root(location: Path) -> Path | None:
    """The folder that holds ``ILSVRC/Data/CLS-LOC``; ``location`` is that or lies on the way."""
    place = location.absolute()
    for root in (place, *place.parents[:3]):
        inside = root / CLS_LOC
        if inside.is_dir() and (place == root or place in (inside, *inside.parents[:2])):
            return root
    return None


def open_kaggle(root: Path, split: str) -> FolderSource:
    """The split ``train``, ``val`` or ``test`` (unlabelled) of Kaggle's layout.

    Raises:
        SourceError: there is no such split, or the labels of val are missing or unreadable.
    """
    folders = [root / CLS_LOC / name for name in split_names(split)]
    folder = next((folder for folder in folders if folder.is_dir()), None)
    if folder is None:
        raise SourceError(f"{root}: no {CLS_LOC / split}; its splits are train, val and test")
    layout = f"imagenet kaggle CLS-LOC {folder.name}"
    if folder.name == "train":
        return _opened(layout, folder, _by_folder())
    if folder.name == "test":
        return _opened(layout, folder, lambda _: None)
    truth = _solution(root / SOLUTION)
    index_of = _index_of()

    def by_solution(name: str) -> Label:
        wnid = truth.get(_stem(name))
        if wnid is None:
            return f"no line in {SOLUTION}"
        return index_of.get(wnid, f"no such class: {wnid}")

    source = _opened(layout, folder, by_solution)
    without = set(truth) - {_stem(row.name) for row in source.entries.rows(0, len(source))}
    if not without:
        return source
    note = f"{len(without)} lines of {SOLUTION} have no image, e.g. {min(without)}"
    return replace(source, notes=(*source.notes, note))


def _opened(layout: str, folder: Path, label_of: Labeller) -> FolderSource:
    classes = imagenet_classes()
    files = list_folder(folder)
    labels = [label_of(printable(file.name)) for file in files]
    source = FolderSource.of(layout, folder, classes, files, labels, class_field=CLASS_FIELD)
    return replace(source, notes=source.entries.notes_on(classes))


def _index_of() -> dict[str, int]:
    return {wnid: index for index, wnid in enumerate(imagenet_classes().ids)}


def _by_folder() -> Labeller:
    index_of = _index_of()

    def label_of(name: str) -> Label:
        wnid, slash, _ = name.partition("/")
        return index_of.get(wnid, f"no such class: {wnid}") if slash else "in no class's folder"

    return label_of


def _solution(table: Path) -> dict[str, str]:
    """Stem of an image's name → WordNet id: the first word of what is to be predicted."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            return {
                row["ImageId"]: row["PredictionString"].split()[0] for row in csv.DictReader(file)
            }
    except (OSError, KeyError, IndexError, AttributeError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(
            f"{table}, which labels the val images, cannot be read ({type(error).__name__}: "
            f"{error}); put Kaggle's {SOLUTION} there"
        ) from error


def _stem(name: str) -> str:
    return name.rsplit("/", 1)[-1].rsplit(".", 1)[0]
