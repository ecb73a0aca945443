"""Shards as other tools write them, and what is read of them."""

import os
import tarfile
from pathlib import Path
from typing import Any

from webdataset import TarWriter

from shards.sample import Sample, Skipped
from shards.sources.source import SourceSpec
from shards.sources.webdataset import WebdatasetSource, open_webdataset
from tests.shards.made import encoded, tar_of

JPEG = encoded("JPEG")
PNG = encoded("PNG")


def written(path: Path, *samples: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with TarWriter(str(path), mtime=0.0) as tar:
        for sample in samples:
            tar.write(sample)
    os.utime(path, ns=(0, 0))
    return path


def packed(path: Path, *members: tuple[str, bytes] | tarfile.TarInfo) -> Path:
    path.write_bytes(tar_of(*members))
    return path


def sample(key: str, label: int | None = 0, image: bytes = JPEG, **fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"__key__": key, "jpg": image}
    if label is not None:
        made["cls"] = label
    return made | ({"json": fields} if fields else {})


def opened(location: Path, split: str = "test", **options: object) -> WebdatasetSource:
    raw = {"source": "webdataset", "location": location, **options}
    return open_webdataset(SourceSpec.model_validate(raw), split)


def read(source: WebdatasetSource) -> list[Sample | Skipped]:
    results = list(source.read(0, len(source)))
    assert len(results) == len(source) == len(source.labels())
    return results


def kept(source: WebdatasetSource) -> dict[str, int | None]:
    return {r.key: r.label for r in read(source) if isinstance(r, Sample)}
