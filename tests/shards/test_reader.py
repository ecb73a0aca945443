import errno
import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shards.errors import ShardError
from shards.manifest import MANIFEST_NAME, SAMPLES_NAME
from shards.reader import ShardedSplit, StoredSample
from shards.sample import Sample
from shards.store import Store
from tests.shards.made import FOLDER, build, made_source

SHARD = "made-test-000001.tar"


@pytest.fixture
def folder(store: Store) -> Path:
    build(made_source(), store)
    return Path(store.locate(FOLDER))


def read_all(store: Store) -> list[StoredSample]:
    return [s for shard in ShardedSplit.open(store, FOLDER).shards() for s in shard.read()]


def rewrite(folder: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    path = folder / SAMPLES_NAME
    changed = change(pq.read_table(io.BytesIO(path.read_bytes())))
    pq.write_table(changed, path)


def with_column(table: pa.Table, name: str, values: list) -> pa.Table:
    position = table.schema.get_field_index(name)
    field = table.schema.field(name)
    return table.set_column(position, field, pa.array(values, field.type))


def test_round_trip(store: Store, folder: Path) -> None:
    written = [entry for entry in made_source().entries if isinstance(entry, Sample)]
    read = read_all(store)
    assert [(s.key, s.image, s.target) for s in read] == [
        (s.key, s.image, s.label) for s in written
    ]
    assert [s.index for s in read] == [0, 1, 0, 1, 2, 0, 1, 2, 0, 1]


def test_the_split_knows_its_version_and_rows(store: Store, folder: Path) -> None:
    split = ShardedSplit.open(store, FOLDER)
    assert split.version == split.manifest.dataset_version
    assert split.samples.num_rows == split.manifest.samples
    assert [shard.rows["shard"].to_pylist() for shard in split.shards()] == [
        [number] * shard.entry.nsamples for number, shard in enumerate(split.shards())
    ]


def test_the_version_is_the_digest_of_the_bytes_at_rest(store: Store, folder: Path) -> None:
    path = folder / MANIFEST_NAME
    usual = ShardedSplit.open(store, FOLDER)
    assert usual.version == hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_text(json.dumps(json.loads(path.read_bytes())))
    spaced = ShardedSplit.open(store, FOLDER)
    assert spaced.manifest == usual.manifest
    assert spaced.version == hashlib.sha256(path.read_bytes()).hexdigest() != usual.version


def test_every_flipped_byte_of_an_image_is_found(store: Store, folder: Path) -> None:
    split = ShardedSplit.open(store, FOLDER)
    [row] = split.samples.filter(pa.compute.equal(split.samples["key"], "made_003")).to_pylist()
    path = folder / SHARD
    whole = path.read_bytes()
    for position in range(row["offset"], row["offset"] + row["length"], 7):
        flipped = bytearray(whole)
        flipped[position] ^= 1
        path.write_bytes(flipped)
        with pytest.raises(ShardError, match=rf"{SHARD}: the image of made_003 was altered"):
            list(split.shards()[1].read())


def test_images_before_the_altered_one_are_read(store: Store, folder: Path) -> None:
    path = folder / SHARD
    flipped = bytearray(path.read_bytes())
    row = ShardedSplit.open(store, FOLDER).shards()[1].rows.to_pylist()[2]
    flipped[row["offset"]] ^= 0xFF
    path.write_bytes(flipped)
    reading = ShardedSplit.open(store, FOLDER).shards()[1].read()
    assert [next(reading).key, next(reading).key] == ["made_002", "made_003"]
    with pytest.raises(ShardError, match="made_004"):
        next(reading)


@pytest.mark.parametrize("cut", [0, 1, 512, 5000])
def test_a_truncated_shard(store: Store, folder: Path, cut: int) -> None:
    path = folder / SHARD
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ShardError, match=rf"{SHARD} has {cut} bytes instead of {size}"):
        read_all(store)


def test_a_missing_shard(store: Store, folder: Path) -> None:
    (folder / SHARD).unlink()
    split = ShardedSplit.open(store, FOLDER)
    assert len(list(split.shards()[0].read())) == 2
    for ask in (split.shards()[1].check_size, lambda: list(split.shards()[1].read())):
        with pytest.raises(ShardError, match=rf"{SHARD} is missing; remove its folder"):
            ask()


@pytest.mark.parametrize("name", ["open", "size"])
def test_a_shard_that_may_not_be_read(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def refuse(*_: object) -> NoReturn:
        raise PermissionError(errno.EACCES, "Permission denied")

    split = ShardedSplit.open(store, FOLDER)
    monkeypatch.setattr(Store, name, refuse)
    with pytest.raises(ShardError, match=r"cannot be read .Permission denied.; make it readable"):
        list(split.shards()[1].read())


@pytest.mark.parametrize("name", [MANIFEST_NAME, SAMPLES_NAME])
def test_an_unreadable_manifest_or_table(store: Store, folder: Path, name: str) -> None:
    (folder / name).unlink()
    (folder / name).mkdir()
    with pytest.raises(ShardError, match=rf"{folder} cannot be read .*{name}.*; make it readable"):
        ShardedSplit.open(store, FOLDER)


@pytest.mark.parametrize("name", [MANIFEST_NAME, SAMPLES_NAME])
def test_a_missing_manifest_or_table(store: Store, folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ShardError, match=rf"{folder} holds no finished shards .*{name}"):
        ShardedSplit.open(store, FOLDER)


def test_nothing_there_at_all(store: Store) -> None:
    with pytest.raises(ShardError, match="holds no finished shards"):
        ShardedSplit.open(store, "nowhere")


@pytest.mark.parametrize("content", [b"", b"junk", b"PAR1junkPAR1"])
def test_a_table_that_is_no_parquet(store: Store, folder: Path, content: bytes) -> None:
    (folder / SAMPLES_NAME).write_bytes(content)
    with pytest.raises(ShardError, match=rf"{SAMPLES_NAME} is not readable"):
        ShardedSplit.open(store, FOLDER)


def test_any_damaged_byte_of_the_table_is_one_clear_error_or_harmless(
    store: Store, folder: Path
) -> None:
    path = folder / SAMPLES_NAME
    whole, raw = ShardedSplit.open(store, FOLDER).samples, path.read_bytes()
    refused = 0
    for place in range(0, len(raw), 7):
        path.write_bytes(raw[:place] + bytes([raw[place] ^ 0x55]) + raw[place + 1 :])
        try:
            assert ShardedSplit.open(store, FOLDER).samples.equals(whole)
        except ShardError:
            refused += 1
    assert refused > len(raw) // 14


def test_any_damaged_byte_of_the_manifest_is_one_clear_error_or_harmless(
    store: Store, folder: Path
) -> None:
    path = folder / MANIFEST_NAME
    whole, raw = ShardedSplit.open(store, FOLDER).manifest, path.read_bytes()
    for place in range(len(raw)):
        path.write_bytes(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :])
        try:
            assert ShardedSplit.open(store, FOLDER).manifest == whole
        except ShardError as error:
            assert "remove its folder and build the shards again" in str(error)  # noqa: PT017


def test_shards_of_earlier_versions_are_opened(store: Store, folder: Path) -> None:
    path = folder / MANIFEST_NAME
    said = json.loads(path.read_bytes())
    del said["checksum"], said["digests"]["rows"]
    path.write_text(json.dumps(said))
    assert len(read_all(store)) == 10
    said["digests"]["images"] = "0"
    path.write_text(json.dumps(said))
    with pytest.raises(ShardError, match="is not the one that the manifest describes"):
        ShardedSplit.open(store, FOLDER)


def test_a_truncated_table(store: Store, folder: Path) -> None:
    path = folder / SAMPLES_NAME
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ShardError, match=rf"{SAMPLES_NAME} is not readable"):
        ShardedSplit.open(store, FOLDER)


CHANGES: dict[str, Callable[[pa.Table], pa.Table]] = {
    "target": lambda table: with_column(table, "target", [0] * 10),
    "key": lambda table: with_column(table, "key", [f"k{i}" for i in range(10)]),
    "sha256": lambda table: with_column(table, "sha256", [bytes(32)] * 10),
    "row lost": lambda table: table.slice(1),
    "row twice": lambda table: pa.concat_tables([table, table.slice(0, 1)]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_altered_table(store: Store, folder: Path, change: str) -> None:
    rewrite(folder, CHANGES[change])
    with pytest.raises(ShardError, match=rf"{SAMPLES_NAME} is not the one that the manifest"):
        ShardedSplit.open(store, FOLDER)


@pytest.mark.parametrize("name", ["key", "sha256", "target", "offset", "crc32", "shard"])
def test_a_table_without_a_column(store: Store, folder: Path, name: str) -> None:
    rewrite(folder, lambda table: table.drop_columns([name]))
    with pytest.raises(ShardError, match=SAMPLES_NAME):
        ShardedSplit.open(store, FOLDER)


@pytest.mark.parametrize("name", ["offset", "length", "crc32"])
def test_a_wrong_place_of_an_image(store: Store, folder: Path, name: str) -> None:
    rewrite(folder, lambda table: with_column(table, name, [100] * 10))
    with pytest.raises(ShardError):
        read_all(store)


def test_swapped_places_do_not_swap_images(store: Store, folder: Path) -> None:
    def swap(table: pa.Table) -> pa.Table:
        for name in ("offset", "length", "crc32"):
            values = table[name].to_pylist()
            values[2], values[3] = values[3], values[2]
            table = with_column(table, name, values)
        return table

    rewrite(folder, swap)
    with pytest.raises(ShardError):
        read_all(store)


def test_rows_in_another_order_are_noticed(store: Store, folder: Path) -> None:
    rewrite(folder, lambda table: table.take([0, 1, 3, 2, 4, 5, 6, 7, 8, 9]))
    with pytest.raises(ShardError):
        read_all(store)


def test_a_manifest_of_another_build(store: Store, folder: Path) -> None:
    build(made_source(), store, "other", samples_per_shard=5)
    store.publish(f"{FOLDER}/{SAMPLES_NAME}", store.read(f"other/{SAMPLES_NAME}"))
    with pytest.raises(ShardError):
        read_all(store)


def test_an_object_store_is_read_alike() -> None:
    memory = Store.at("memory://test_reader")
    build(made_source(), memory)
    assert len(read_all(memory)) == 10
    memory.filesystem.rm_file(f"/test_reader/{FOLDER}/{SHARD}")
    with pytest.raises(ShardError, match=rf"memory://.*{SHARD} is missing"):
        read_all(memory)


def test_the_first_shards_are_a_split_of_their_own(folder: Path, store: Store) -> None:
    whole = ShardedSplit.open(store, FOLDER)
    part = whole.first(1)
    (shard,) = part.shards()
    assert shard.entry == whole.manifest.shardlist[0]
    assert shard.rows.equals(whole.shards()[0].rows)
    assert part.samples.num_rows == part.manifest.samples == shard.entry.nsamples
    assert sum(part.manifest.class_counts) + part.manifest.unlabelled == part.manifest.samples
    assert (part.version, part.cut_to) == (whole.version, 1)
    digests, of_whole = part.manifest.digests, whole.manifest.digests
    assert digests.images != of_whole.images
    assert part.manifest.classes == whole.manifest.classes
    for count in (len(whole.shards()), 99):
        assert whole.first(count) is whole
