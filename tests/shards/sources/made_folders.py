"""Folders of small images, and what is read of them."""

import os
from pathlib import Path

from shards.sample import Sample, Skipped
from shards.sources.folder import FolderSource
from shards.sources.source import SourceSpec
from tests.shards.made import encoded

PNG = encoded("PNG")
JPEG = encoded("JPEG")


def made_folder(root: Path, *names: str, image: bytes = PNG) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image)
        os.utime(path, ns=(0, 0))
    return root


def opened(root: Path, **options: object) -> FolderSource:
    return FolderSource.open(
        SourceSpec.model_validate({"source": "folder", "location": root, **options})
    )


def read(root: Path, **options: object) -> list[Sample | Skipped]:
    source = opened(root, **options)
    results = list(source.read(0, len(source)))
    assert len(results) == len(source)
    return results


def keys_and_labels(results: list[Sample | Skipped]) -> dict[str, int | None]:
    return {r.key: r.label for r in results if isinstance(r, Sample)}
