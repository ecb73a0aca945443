"""ImageNet-1k: whichever of its layouts lies there."""

import re
from pathlib import Path

from shards.errors import SourceError
from shards.sample import webdataset_key
from shards.sources.builtin import imagenet_classes
from shards.sources.imagenet_folder import (
    CLASS_FIELD,
    image_folder,
    kaggle_root,
    open_flat_folder,
    open_image_folder,
    open_kaggle,
)
from shards.sources.imagenet_train import TRAIN_IMAGES, open_train_tar
from shards.sources.imagenet_val import (
    DEVKIT,
    IMAGES,
    NAME_PATTERN,
    Devkit,
    devkit_beside,
    open_val_tar,
)
from shards.sources.listing import split_names
from shards.sources.parquet import ParquetSource
from shards.sources.source import Source, SourceSpec
from shards.sources.tars import scan_tar
from shards.sources.webdataset import open_shards
from shards.sources.webdataset_shards import find_shards

LAYOUTS = (
    f"{IMAGES} with {DEVKIT}.tar.gz, {TRAIN_IMAGES}, a folder per WordNet id, Kaggle's "
    f"ILSVRC/Data/CLS-LOC, Hugging Face's data/*.parquet, or WebDataset shards"
)


def open_imagenet(spec: SourceSpec, split: str) -> Source:
    """ImageNet's split at ``spec.location``, in whichever layout lies there.

    Raises:
        SourceError: nothing that is known does, or it is damaged.
    """
    location = spec.location
    opened = (
        _open_file(location, split, spec.devkit)
        if location.is_file()
        else _open_folder(spec, split)
    )
    if opened is None:
        raise SourceError(
            f"{location}: no {split} split of ImageNet here; point `location` at one of: {LAYOUTS}"
        )
    return opened


def _open_file(file: Path, split: str, devkit: Path | None) -> Source | None:
    if file.suffix == ".parquet":
        return _open_parquet([file])
    first = _first_name(file)
    if file.name == TRAIN_IMAGES or first.endswith(".tar"):
        if split != "train":
            raise SourceError(f"{file}: the official train tar has the split train, not {split!r}")
        return open_train_tar(file)
    if file.name == IMAGES or NAME_PATTERN.fullmatch(first.rsplit("/", 1)[-1]):
        return open_val_tar(file, split, devkit)
    return open_shards([file], imagenet_classes(), CLASS_FIELD)


def _first_name(tar: Path) -> str:
    with tar.open("rb") as file:
        return next((member.name for member in scan_tar(file.fileno(), str(tar))), "")


def _open_folder(spec: SourceSpec, split: str) -> Source | None:
    folder, names = spec.location, split_names(split)
    if "val" in names and (folder / IMAGES).is_file():
        return open_val_tar(folder, split, spec.devkit)
    if split == "train" and (folder / TRAIN_IMAGES).is_file():
        return open_train_tar(folder / TRAIN_IMAGES)
    if root := kaggle_root(folder):
        return open_kaggle(root, split)
    if files := _parquet_files(folder, names):
        return _open_parquet(files)
    return _open_images(spec, split) or _open_shards(spec, split)


def _open_images(spec: SourceSpec, split: str) -> Source | None:
    if inside := image_folder(spec.location, split):
        return open_image_folder(inside)
    names = split_names(split)
    for flat in (*(spec.location / name for name in names), spec.location):
        if "val" in names and any(flat.glob("ILSVRC2012_val_*.JPEG")):
            return open_flat_folder(flat, Devkit.read(spec.devkit or devkit_beside(flat)).label_of)
    return None


def _open_shards(spec: SourceSpec, split: str) -> Source | None:
    if any((spec.location / name).is_file() for name in (IMAGES, TRAIN_IMAGES)):
        return None  # of another split: its tar is no shard
    shards = find_shards(spec.location, split, spec.include)
    return open_shards(shards, imagenet_classes(), CLASS_FIELD) if shards else None


def _parquet_files(folder: Path, names: tuple[str, ...]) -> list[Path]:
    patterns = [f"{place}{name}-*.parquet" for name in names for place in ("data/", "")]
    found = [sorted(folder.glob(pattern)) for pattern in patterns]
    return next((files for files in found if files), [])


def _open_parquet(files: list[Path]) -> Source:
    return ParquetSource.open(
        files,
        imagenet_classes(),
        layout="imagenet hugging face parquet",
        image_column=None,
        label_column=None,
        key_prefix="imagenet_",
        key_of_path=original_key,
        class_field=CLASS_FIELD,
    )


def original_key(path: str) -> str:
    """The key of an image under its original name; Hugging Face adds the WordNet id to it."""
    return re.sub(r"_n\d{8}$", "", webdataset_key(path))
