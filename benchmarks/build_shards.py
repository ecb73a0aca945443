"""Sharding against peers: ratios of medians from one run, on this machine.

    python benchmarks/build_shards.py IMAGENET_FOLDER CIFAR_FOLDER [--entries 3000] [--rounds 5]

IMAGENET_FOLDER holds ILSVRC2012_img_val.tar and its development kit (repeated to ``--entries``),
CIFAR_FOLDER the python layout of CIFAR-10. Peers: a hand-written ``webdataset.ShardWriter`` loop,
and ``tar x`` then ``tar c``. Ours includes the digests, the header checks and the manifest; both
sides write to the same disk. Needs GNU tar.
"""

import argparse
import io
import statistics
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import webdataset
from PIL import Image

from shards.build import build_shard, finish
from shards.parts import missing_shards
from shards.recipe import recipe_for
from shards.sources.archive import read_files
from shards.sources.cifar import CifarSource
from shards.sources.imagenet_val import GROUND_TRUTH, IMAGES, META, ImagenetSource
from shards.sources.source import Source
from shards.store import Store

PER_SHARD = 250
WORKERS = 2


def ours(source: Callable[[], Source], folder: Path) -> None:
    store = Store.at(folder)
    opened = source()
    recipe = recipe_for(opened, "bench", "val", PER_SHARD)
    with ThreadPoolExecutor(WORKERS) as workers:
        build = partial(build_shard, opened, store, "out", recipe)
        list(workers.map(build, missing_shards(store, "out", recipe)))
    finish(opened, store, "out", recipe)


def shard_writer_jpegs(images: Path, folder: Path) -> None:
    with (
        tarfile.open(images) as tar,
        webdataset.ShardWriter(str(folder / "%06d.tar"), maxcount=PER_SHARD, verbose=0) as sink,
    ):
        for member in tar:
            file = tar.extractfile(member)
            assert file is not None
            key = member.name.removesuffix(".JPEG")
            sink.write({"__key__": key, "jpg": file.read(), "cls": 0, "json": {"name": key}})


def tar_out_and_in(images: Path, folder: Path) -> None:
    subprocess.run(["tar", "xf", images, "-C", folder], check=True)
    subprocess.run(
        ["tar", "cf", folder.parent / f"{folder.name}.tar", "-C", folder, "."], check=True
    )
    (folder.parent / f"{folder.name}.tar").unlink()


def shard_writer_pngs(source: CifarSource, folder: Path) -> None:
    with webdataset.ShardWriter(str(folder / "%06d.tar"), maxcount=PER_SHARD, verbose=0) as sink:
        for batch in source._batches:
            for index, (row, label) in enumerate(zip(batch.pixels, batch.labels, strict=True)):
                encoded = io.BytesIO()
                Image.fromarray(row.reshape(3, 32, 32).transpose(1, 2, 0)).save(encoded, "PNG")
                key = f"{index:05d}"
                sink.write({"__key__": key, "png": encoded.getvalue(), "cls": label, "json": {}})


def seconds(work: Callable[[Path], None]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        work(Path(folder))
        return time.perf_counter() - started


def repeated(folder: Path, entries: int, target: Path) -> Path:
    """The validation tar with its images repeated under further numbers, and a kit to fit."""
    with tarfile.open(folder / IMAGES) as tar:
        images = [file.read() for member in tar if (file := tar.extractfile(member))]
    with tarfile.open(target / IMAGES, "w") as out:
        for number in range(entries):
            info = tarfile.TarInfo(f"ILSVRC2012_val_{number + 1:08d}.JPEG")
            info.size = len(images[number % len(images)])
            out.addfile(info, io.BytesIO(images[number % len(images)]))
    kit = target / "ILSVRC2012_devkit_t12"
    kit.mkdir()
    archive = folder / "ILSVRC2012_devkit_t12.tar.gz"
    truth, meta = read_files(archive, (GROUND_TRUTH, META), "name the kit").values()
    lines = truth.split()
    repeats = -(-entries // len(lines))
    (kit / GROUND_TRUTH).write_bytes(b"\n".join((lines * repeats)[:entries]))
    (kit / META).write_bytes(meta)
    return target / IMAGES


def compare(title: str, sides: dict[str, Callable[[Path], None]], rounds: int) -> None:
    measured: dict[str, list[float]] = {name: [] for name in sides}
    for work in sides.values():
        seconds(work)  # so that caches are warm for all
    for _ in range(rounds):
        for name, work in sides.items():
            measured[name].append(seconds(work))
    base = statistics.median(measured["nightmark"])
    print(title)
    for name, times in measured.items():
        median = statistics.median(times)
        print(f"  {name:28} {median:7.2f} s   {median / base:5.2f} x nightmark")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("imagenet", type=Path)
    parser.add_argument("cifar", type=Path)
    parser.add_argument("--entries", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        images = repeated(options.imagenet, options.entries, Path(scratch))
        compare(
            f"{options.entries} ImageNet JPEGs, {images.stat().st_size / 1e6:.0f} MB",
            {
                "nightmark": partial(ours, partial(ImagenetSource.open, Path(scratch), "val")),
                "webdataset.ShardWriter loop": partial(shard_writer_jpegs, images),
                "tar x, then tar c": partial(tar_out_and_in, images),
            },
            options.rounds,
        )
    cifar = CifarSource.open(options.cifar, "test")
    compare(
        f"{len(cifar)} CIFAR-10 images as PNG",
        {
            "nightmark": partial(ours, partial(CifarSource.open, options.cifar, "test")),
            "ShardWriter and PIL loop": partial(shard_writer_pngs, cifar),
        },
        options.rounds,
    )


if __name__ == "__main__":
    main()
