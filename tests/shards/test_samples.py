import hashlib
import io
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shards.samples import SCHEMA, Digests, digests, samples_table
from shards.writer import write_tar
from tests.shards.made import made_sample


def table(*samples, shard: int = 0) -> pa.Table:
    return samples_table(shard, write_tar(io.BytesIO(), samples).placed)


def digests_of(*samples) -> Digests:
    return digests(table(*samples), {"a.tar": "00"})


SAMPLES = [made_sample(number, number % 3) for number in range(6)]


def test_a_row_holds_what_the_sample_says() -> None:
    sample = made_sample(4, None, camera="front", angle=30)
    [row] = table(sample, shard=2).to_pylist()
    assert row["sha256"] == hashlib.sha256(sample.image).digest()
    del row["sha256"], row["crc32"], row["offset"]
    assert row == {
        "key": "made_004",
        "source_name": "4.png",
        "shard": 2,
        "length": len(sample.image),
        "suffix": "png",
        "width": 5,
        "height": 4,
        "target": None,
        "angle": 30,
        "camera": "front",
    }


def test_no_samples_give_the_schema() -> None:
    assert table().schema == SCHEMA
    assert digests(table(), {}) == digests(table(), {})


def test_a_field_that_some_samples_lack_is_null() -> None:
    found = table(made_sample(0), made_sample(1, camera="front"))
    assert found["camera"].to_pylist() == [None, "front"]


def test_a_field_may_not_shadow_a_column() -> None:
    with pytest.raises(ValueError, match="'width'"):
        table(made_sample(0, width=3))


def test_images_and_targets_do_not_depend_on_order() -> None:
    shuffled = [SAMPLES[i] for i in (3, 0, 5, 2, 1, 4)]
    found, usual = digests_of(*shuffled), digests_of(*SAMPLES)
    assert (found.images, found.targets) == (usual.images, usual.targets)


def test_a_corrected_label_moves_the_targets_only() -> None:
    before = digests_of(*SAMPLES)
    after = digests_of(*SAMPLES[:-1], replace(SAMPLES[-1], label=0))
    assert after.targets != before.targets
    assert (after.images, after.layout) == (before.images, before.layout)


def test_no_label_is_not_class_zero() -> None:
    unlabelled = digests_of(replace(SAMPLES[0], label=None))
    assert unlabelled.targets != digests_of(SAMPLES[0]).targets


@pytest.mark.parametrize("change", ["image", "key"])
def test_another_image_or_key_moves_the_images(change: str) -> None:
    other = {"image": made_sample(77).image, "key": "other"}[change]
    after = digests_of(*SAMPLES[:-1], replace(SAMPLES[-1], **{change: other}))
    assert after.images != digests_of(*SAMPLES).images


def test_swapped_images_move_the_images() -> None:
    one, two = SAMPLES[0], SAMPLES[3]
    swapped = (replace(one, image=two.image), replace(two, image=one.image))
    assert digests_of(*swapped).images != digests_of(one, two).images


def test_layout_is_the_shards_in_order() -> None:
    rows = table(*SAMPLES)
    layouts = [
        digests(rows, shards).layout
        for shards in ({"a": "1", "b": "2"}, {"b": "2", "a": "1"}, {"a": "1"}, {"a": "2", "b": "1"})
    ]
    assert len(set(layouts)) == 4


@pytest.mark.parametrize("name", ["shard", "offset", "length", "crc32"])
def test_layout_moves_with_the_place_of_an_image(name: str) -> None:
    rows = table(*SAMPLES)
    position, field = rows.schema.get_field_index(name), rows.schema.field(name)
    values = rows[name].to_pylist()
    values[3] += 1
    moved = rows.set_column(position, field, pa.array(values, field.type))
    usual, found = (digests(each, {"a.tar": "00"}) for each in (rows, moved))
    assert found.layout != usual.layout
    assert (found.images, found.targets) == (usual.images, usual.targets)


def test_layout_moves_with_the_order_of_rows() -> None:
    rows = table(*SAMPLES)
    swapped = rows.take([0, 1, 3, 2, 4, 5])
    usual, found = (digests(each, {"a.tar": "00"}) for each in (rows, swapped))
    assert found.layout != usual.layout
    assert (found.images, found.targets) == (usual.images, usual.targets)


@pytest.mark.parametrize("name", [*SCHEMA.names, "camera", "take"])
def test_rows_move_with_every_column(name: str) -> None:
    rows = table(made_sample(0, camera="front"), made_sample(1, None, take=3))
    position, field = rows.schema.get_field_index(name), rows.schema.field(name)
    values = rows[name].to_pylist()
    usual = digests(rows, {}).rows
    other = {"string": "new", "fixed_size_binary[32]": bytes(32)}.get(str(field.type), 77)
    for change in ([other, values[1]], values[::-1]):
        moved = rows.set_column(position, field, pa.array(change, field.type))
        assert (digests(moved, {}).rows != usual) is (change != values)


def test_rows_do_not_depend_on_how_they_are_chunked_or_stored() -> None:
    rows = table(made_sample(0, camera=""), made_sample(1, None), made_sample(2, camera="front"))
    chunked = pa.concat_tables([rows.slice(0, 1), rows.slice(1)])
    sink = io.BytesIO()
    pq.write_table(chunked, sink, compression="none", use_dictionary=False)
    assert digests(chunked, {}) == digests(pq.read_table(sink), {}) == digests(rows, {})


def test_null_is_not_the_empty_text() -> None:
    one, two = (table(made_sample(0, camera=c), made_sample(1)) for c in ("", "x"))
    filled = one.set_column(11, "camera", pa.array(["", ""]))
    renamed = one.rename_columns([*SCHEMA.names, "site"])
    assert len({digests(rows, {}).rows for rows in (one, two, filled, renamed)}) == 4
