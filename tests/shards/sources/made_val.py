"""Validation tars and development kits, real and made."""

import tarfile
from pathlib import Path

from shards.sources.imagenet_val import DEVKIT, GROUND_TRUTH, IMAGES, META, open_val_tar
from tests.shards.made import encoded, tar_of
from tests.support.shared_data import SHARED

REAL = SHARED / "data/imagenet"
KIT = REAL / "official" / f"{DEVKIT}.tar.gz"
JPEG = encoded("JPEG")


def name_of(number: int) -> str:
    return f"ILSVRC2012_val_{number:08d}.JPEG"


def made_tar(folder: Path, *members: tuple[str, bytes] | tarfile.TarInfo) -> Path:
    path = folder / IMAGES
    path.write_bytes(tar_of(*members))
    return path


def kit_file(name: str) -> bytes:
    with tarfile.open(KIT) as tar:
        [member] = [member for member in tar if member.name.endswith(name)]
        file = tar.extractfile(member)
        assert file is not None
        return file.read()


def made_kit(folder: Path, truth: str, meta: bytes | None = None) -> Path:
    kit = folder / DEVKIT / "data"
    kit.mkdir(parents=True)
    (kit / GROUND_TRUTH).write_text(truth)
    (kit / META).write_bytes(kit_file(META) if meta is None else meta)
    return kit.parent


def read_made(tmp_path: Path, *members: tuple[str, bytes] | tarfile.TarInfo) -> list:
    source = open_val_tar(made_tar(tmp_path, *members), "val", KIT)
    return list(source.read(0, len(source)))
