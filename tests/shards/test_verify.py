from pathlib import Path

import pytest

from shards.errors import ShardError
from shards.manifest import SAMPLES_NAME
from shards.reader import Shard, ShardedSplit
from shards.store import Store
from shards.verify import Fault, Verification, verify_split
from tests.shards.listed import made_source
from tests.shards.made import FOLDER, build


@pytest.fixture
def split(store: Store) -> ShardedSplit:
    build(made_source(), store)
    return ShardedSplit.open(store, FOLDER)


def tar(split: ShardedSplit, number: int) -> Path:
    return Path(split.store.locate(f"{FOLDER}/made-test-{number:06d}.tar"))


def flip(path: Path, offset: int) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)


def image_offset(split: ShardedSplit, key: str) -> int:
    (row,) = [row for row in split.samples.to_pylist() if row["key"] == key]
    return int(row["offset"]) + 60


def test_whole_shards(split: ShardedSplit) -> None:
    seen: list[Shard] = []
    found = verify_split(split, 3, seen.append)
    assert found == Verification(4, 10, sum(e.filesize for e in split.manifest.shardlist), ())
    assert [shard.entry for shard in seen] == list(split.manifest.shardlist)
    found.raise_if_bad()


def test_every_flipped_byte_is_found(split: ShardedSplit) -> None:
    whole = tar(split, 1).read_bytes()
    for offset in range(0, len(whole), 97):
        flip(tar(split, 1), offset)
        assert verify_split(split, 1).faults, offset
        tar(split, 1).write_bytes(whole)


def test_the_first_bad_image_is_named_and_the_others_are_counted(split: ShardedSplit) -> None:
    keys = [sample.key for shard in split.shards()[1:3] for sample in shard.read()]
    for number, key in ((2, keys[4]), (1, keys[2]), (1, keys[1])):
        flip(tar(split, number), image_offset(split, key))
    found = verify_split(split, 2)
    assert [fault.key for fault in found.faults] == [keys[1], keys[2], keys[4]]
    message = (
        rf"^shard .*/made-test-000001\.tar, key {keys[1]}: the image was altered .*; remove its "
        r"folder and build the shards again \(2 more faults; 2 bad shards in all\)$"
    )
    with pytest.raises(ShardError, match=message):
        found.raise_if_bad()


def test_a_byte_outside_the_images(split: ShardedSplit) -> None:
    flip(tar(split, 0), 3)
    (fault,) = verify_split(split, 1).faults
    assert (fault.key, fault.problem) == (
        None,
        "it was altered outside its images (SHA-256 differs)",
    )


def test_a_shard_that_is_cut(split: ShardedSplit) -> None:
    path = tar(split, 1)
    size = path.stat().st_size
    first, second, third = [sample.key for sample in split.shards()[1].read()]
    path.write_bytes(path.read_bytes()[: image_offset(split, second)])
    found = verify_split(split, 1)
    assert [fault.key for fault in found.faults] == [second, third]
    assert f"has {path.stat().st_size} bytes instead of {size}" in found.faults[0].problem
    assert first not in str(found.faults)


@pytest.mark.parametrize("change", [-1, 1])
def test_a_shard_with_another_end(split: ShardedSplit, change: int) -> None:
    whole = tar(split, 1).read_bytes()
    tar(split, 1).write_bytes(whole + b"\0" if change > 0 else whole[:change])
    (fault,) = verify_split(split, 1).faults
    assert fault.key is None
    assert fault.problem == f"the tar has {len(whole) + change} bytes instead of {len(whole)}"


def test_missing_and_foreign_shards(split: ShardedSplit) -> None:
    tar(split, 9).write_bytes(b"")
    tar(split, 2).unlink()
    missing, foreign = verify_split(split, 2).faults
    assert str(missing).endswith("made-test-000002.tar: it is missing")
    with pytest.raises(ShardError, match=r"000009\.tar: it is not in the manifest; remove it$"):
        Verification(4, 10, 1, (foreign,)).raise_if_bad()


def test_another_samples_parquet_is_not_opened(split: ShardedSplit, store: Store) -> None:
    build(made_source(), store, "other", samples_per_shard=4)
    store.publish(f"{FOLDER}/{SAMPLES_NAME}", store.read(f"other/{SAMPLES_NAME}"))
    with pytest.raises(ShardError, match="is not the one that the manifest describes"):
        ShardedSplit.open(store, FOLDER)


def test_shards_in_memory(tmp_path: Path) -> None:
    store = Store.at(f"memory://{tmp_path.name}")
    build(made_source(), store)
    assert verify_split(ShardedSplit.open(store, FOLDER), 2).faults == ()


def test_a_fault_without_a_key() -> None:
    assert str(Fault("x.tar", None, "it is missing")) == "shard x.tar: it is missing"
