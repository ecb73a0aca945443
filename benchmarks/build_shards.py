"""Sharding against peers: ratios of medians from one run, on this machine.

    python benchmarks/build_shards.py OFFICIAL_IMAGENET CIFAR [--entries 8000] [--rounds 5]

OFFICIAL_IMAGENET holds ILSVRC2012_img_val.tar and its development kit, CIFAR the python layout of
CIFAR-10; their images are repeated up to ``--entries``, and to 60,000. Peers: a hand-written
``webdataset.ShardWriter`` loop, and ``tar x`` then ``tar c``. Ours includes opening the source, the
digests, the header checks, the manifest, and bringing every file to the disk, which no peer does.
The bound is what no way of building saves: reading the images, hashing each of them and the tar
they come to lie in, writing it and bringing it to the disk, by as many threads. Needs GNU tar.
Figures: docs/benchmarks.md.
"""

import argparse
import hashlib
import io
import os
import pickle
import statistics
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import webdataset
from isal.isal_zlib import crc32
from made_sets import cifar_folder, train_tar, val_tar
from PIL import Image

from flows.build_shards import BUILDERS
from shards.build import build_shard, finish
from shards.parts import missing_shards
from shards.recipe import recipe_for
from shards.sources.cifar import CifarSource
from shards.sources.imagenet_train import open_train_tar
from shards.sources.imagenet_val import open_val_tar
from shards.sources.source import Source
from shards.sources.tar_source import TarSource
from shards.store import Store

PER_SHARD = 1000
CIFAR_IMAGES = 60_000
BOUND_HEADER = bytes(2560)
BOUND_BATCH = 16


def ours(source: Callable[[], Source], folder: Path) -> None:
    store = Store.at(folder)
    opened = source()
    recipe = recipe_for(opened, "bench", "val", PER_SHARD)
    with ThreadPoolExecutor(BUILDERS) as workers:
        build = partial(build_shard, opened, store, "out", recipe)
        list(workers.map(build, missing_shards(store, "out", recipe)))
    finish(opened, store, "out", recipe)


def bound(source: TarSource, folder: Path) -> None:
    with ThreadPoolExecutor(BUILDERS) as workers:
        list(workers.map(partial(_bound_shard, source, folder), range(0, len(source), PER_SHARD)))


def _bound_shard(source: TarSource, folder: Path, start: int) -> None:
    whole = hashlib.sha256()
    rows = list(source.entries.rows(start, start + PER_SHARD))
    with source.tar.open("rb") as tar, (folder / str(start)).open("wb") as shard:
        for first in range(0, len(rows), BOUND_BATCH):
            batch = []
            for row in rows[first : first + BOUND_BATCH]:
                image = os.pread(tar.fileno(), row.size, row.place)
                hashlib.sha256(image).digest()
                crc32(image)
                batch += [BOUND_HEADER, image]
            piece = b"".join(batch)
            whole.update(piece)
            shard.write(piece)
        shard.flush()
        os.fsync(shard.fileno())


def shard_writer(images: Iterator[tuple[str, bytes]], folder: Path) -> None:
    with _sink(folder) as sink:
        for key, image in images:
            sink.write({"__key__": key, "jpg": image, "cls": 0, "json": {"name": key}})


def members(tar: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    for member in tar:
        file = tar.extractfile(member)
        assert file is not None
        yield member.name.removesuffix(".JPEG"), file.read()


def val_images(path: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path) as tar:
        yield from members(tar)


def train_images(path: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path) as outer:
        for member in outer:
            with tarfile.open(fileobj=outer.extractfile(member)) as inner:
                yield from members(inner)


def shard_writer_pngs(batches: list[Path], folder: Path) -> None:
    with _sink(folder) as sink:
        for path in batches:
            batch = pickle.loads(path.read_bytes(), encoding="bytes")  # noqa: S301 our own
            for index, (row, label) in enumerate(
                zip(batch[b"data"], batch[b"labels"], strict=True)
            ):
                encoded = io.BytesIO()
                Image.fromarray(row.reshape(3, 32, 32).transpose(1, 2, 0)).save(encoded, "PNG")
                key = f"{path.name}_{index:05d}"
                sink.write({"__key__": key, "png": encoded.getvalue(), "cls": label, "json": {}})


def _sink(folder: Path) -> webdataset.ShardWriter:
    return webdataset.ShardWriter(str(folder / "%06d.tar"), maxcount=PER_SHARD, verbose=0)


def tar_out_and_in(images: Path, folder: Path) -> None:
    out = folder / "out"
    out.mkdir()
    subprocess.run(["tar", "xf", images, "-C", out], check=True)
    for inner in out.glob("*.tar"):
        (out / inner.stem).mkdir()
        subprocess.run(["tar", "xf", inner, "-C", out / inner.stem], check=True)
        inner.unlink()
    subprocess.run(["tar", "cf", folder / "again.tar", "-C", out, "."], check=True)


def seconds(work: Callable[[Path], None]) -> tuple[float, float]:
    """Wall and processor seconds of this process."""
    with tempfile.TemporaryDirectory() as folder:
        started, busy = time.perf_counter(), time.process_time()
        work(Path(folder))
        return time.perf_counter() - started, time.process_time() - busy


def compare(title: str, sides: dict[str, Callable[[Path], None]], rounds: int) -> None:
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for work in sides.values():
        seconds(work)  # so that caches are warm for all
    for _ in range(rounds):
        for name, work in sides.items():
            measured[name].append(seconds(work))
    base = statistics.median(wall for wall, _ in measured["nightmark"])
    print(title, flush=True)
    for name, times in measured.items():
        wall, busy = (statistics.median(column) for column in zip(*times, strict=True))
        print(
            f"  {name:28} {wall:7.2f} s   {wall / base:5.2f} x nightmark   ({busy:.2f} s of CPU)",
            flush=True,
        )


def compare_tars(images: Path, opened: Callable[[], TarSource], rounds: int) -> None:
    read = train_images if "train" in images.name else val_images
    source = opened()
    compare(
        f"{images.name}: {len(source)} JPEGs, {images.stat().st_size / 1e6:.0f} MB",
        {
            "nightmark": partial(ours, opened),
            "webdataset.ShardWriter loop": lambda folder: shard_writer(read(images), folder),
            "tar x, then tar c": partial(tar_out_and_in, images),
            "the bound": partial(bound, source),
        },
        rounds,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("imagenet", type=Path)
    parser.add_argument("cifar", type=Path)
    parser.add_argument("--entries", type=int, default=8000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        val = val_tar(options.imagenet, options.entries, scratch)
        compare_tars(val, partial(open_val_tar, scratch, "val"), options.rounds)
        val.unlink()
        train = train_tar(options.imagenet, options.entries, scratch)
        compare_tars(train, partial(open_train_tar, train), options.rounds)
        train.unlink()
        batches = cifar_folder(options.cifar, CIFAR_IMAGES, scratch)
        compare(
            f"{CIFAR_IMAGES} CIFAR-10 images as PNG",
            {
                "nightmark": partial(ours, partial(CifarSource.open, scratch, "train")),
                "ShardWriter and PIL loop": partial(shard_writer_pngs, batches),
            },
            options.rounds,
        )


if __name__ == "__main__":
    main()
