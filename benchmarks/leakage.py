"""Near-duplicates between the CIFAR-10 test set and its training set, end to end, on two cores.

    python benchmarks/leakage.py CIFAR10_TAR TRAIN_PARQUET IMAGENET_VAL_TAR [--sheet pairs.png]

CIFAR10_TAR is cifar-10-python.tar.gz (10,000 test images), TRAIN_PARQUET a folder of Parquet with
the 50,000 training images (``img``, ``label``), IMAGENET_VAL_TAR any tar of full-size JPEGs.

Measured: reading the shards, decoding and signing all 60,000 images, the search, and the second
look at its candidates. Building the shards is told apart, since a night does that anyway. From the
rates of signing full-size JPEGs and of the search follows what 50,000 against 1.28 million costs;
memory is the queries' vectors, 24 candidates each, and one block of the others at a time.
"""

import argparse
import tarfile
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from conf.plan import DatasetPlan
from flows.build_shards import BUILDERS
from flows.find_copies import SIGNERS
from shards.build import build_shard, finish
from shards.parts import missing_shards
from shards.reader import Shard, ShardedSplit, StoredSample
from shards.recipe import recipe_for
from shards.sources.opening import open_source
from shards.store import Store
from tasks.health.kept import SignatureStore, SplitBlocks
from tasks.health.nearest import candidates
from tasks.health.pairing import find_copies
from tasks.health.sheet import contact_sheet, shown_pairs
from tasks.health.signatures import signature_table

PER_SHARD = 1_000
LIMIT_SECONDS = 120
VAL, TRAIN = 50_000, 1_281_167


def built(store: Store, name: str, split: str, source: str, location: Path) -> ShardedSplit:
    described = {"name": name, "split": split, "source": source, "location": str(location)}
    classes = {"classes": "cifar10"} if source == "parquet" else {}
    plan = DatasetPlan.model_validate(described | classes)
    opened = open_source(plan, split)
    recipe = recipe_for(opened, name, split, PER_SHARD)
    folder = plan.split_name.shards(recipe.name)
    with ThreadPoolExecutor(BUILDERS) as workers:
        build = partial(build_shard, opened, store, folder, recipe)
        list(workers.map(build, missing_shards(store, folder, recipe)))
    finish(opened, store, folder, recipe)
    return ShardedSplit.open(store, folder)


def sign(splits: tuple[ShardedSplit, ...], signatures: SignatureStore) -> None:
    def one(shard: Shard) -> None:
        signatures.write(shard, signature_table(shard.read()))

    with ThreadPoolExecutor(SIGNERS) as workers:
        list(workers.map(one, [shard for split in splits for shard in split.shards()]))


def full_size_rate(path: Path) -> float:
    """Images signed per second by as many threads, of the JPEGs in a tar."""
    with tarfile.open(path) as tar:
        images = [tar.extractfile(member).read() for member in tar if member.isfile()]
    parts = [images[start::SIGNERS] for start in range(SIGNERS)]

    def one(part: list[bytes]) -> None:
        signature_table(StoredSample(str(i), i, image, None) for i, image in enumerate(part))

    started = time.perf_counter()
    with ThreadPoolExecutor(SIGNERS) as workers:
        list(workers.map(one, parts))
    return len(images) / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cifar", type=Path)
    parser.add_argument("train", type=Path)
    parser.add_argument("jpegs", type=Path)
    parser.add_argument("--sheet", type=Path)
    paths = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = Store.at(folder)
        started = time.perf_counter()
        test = built(store, "cifar10", "test", "cifar10", paths.cifar)
        train = built(store, "cifar10", "train", "parquet", paths.train)
        print(f"building 60,000 images into shards: {time.perf_counter() - started:.1f} s")

        signatures = SignatureStore(store)
        started = time.perf_counter()
        sign((test, train), signatures)
        signed = time.perf_counter()
        images = SplitBlocks(test, signatures).whole()
        blocks = SplitBlocks(train, signatures)
        found = find_copies(images, blocks, "test", "train")
        finished = time.perf_counter()
        print(f"signing: {signed - started:.1f} s, finding: {finished - signed:.1f} s")
        total = finished - started
        print(f"10,000 x 50,000 end to end: {total:.1f} s (at most {LIMIT_SECONDS} s)")
        record = found.record
        print(
            f"{record.copied} of {record.n} images have a copy "
            f"({100 * record.copied / record.n:.2f} %), {record.pairs} pairs"
        )
        started = time.perf_counter()
        candidates(images, list(blocks))
        searching = time.perf_counter() - started
        rate = record.n * record.other_n / searching
        print(f"search alone: {rate / 1e6:.0f} million pairs/s, both orientations")
        if paths.sheet:
            paths.sheet.write_bytes(contact_sheet(shown_pairs(found, test, train)))
    jpegs = full_size_rate(paths.jpegs)
    print(f"signing full-size JPEGs: {jpegs:.0f} images/s")
    print(
        f"estimate for {VAL:,} x {TRAIN:,}: signing {(VAL + TRAIN) / jpegs / 60:.0f} min once, "
        f"search {VAL * TRAIN / rate / 60:.0f} min"
    )
    assert total < LIMIT_SECONDS, f"{total:.0f} s"


if __name__ == "__main__":
    main()
