import json
import os
import pickle
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shards.errors import SourceError
from shards.image import read_header
from shards.sample import ClassList, Sample, Skipped
from shards.sources.builtin import CIFAR10_CLASSES
from shards.sources.parquet import ParquetSource, open_parquet
from shards.sources.source import SourceSpec
from tests.shards.made import encoded
from tests.support.shared_data import SHARED, needs_shared

DATA = SHARED / "data"
ANIMALS = ClassList(names=("ant", "bee", "cat"), ids=("n1", "n2", "n3"))
PNGS = [encoded("PNG", seed) for seed in range(12)]


def cells(paths: Sequence[str | None] | int) -> list[dict[str, Any]]:
    paths = [None] * paths if isinstance(paths, int) else paths
    return [{"bytes": PNGS[i % 12], "path": path} for i, path in enumerate(paths)]


def made(path: Path, *, names: Sequence[str] = (), group: int = 3, **columns: Any) -> Path:
    """A Parquet file; ``names`` are told as Hugging Face tells them of the column ``label``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table(columns)
    if names:
        told = {"info": {"features": {"label": {"names": list(names), "_type": "ClassLabel"}}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(told)})
    pq.write_table(table, path, row_group_size=group)
    return path


def opened(*files: Path, classes: ClassList = ANIMALS, **options: Any) -> ParquetSource:
    given = {"layout": "parquet", "image_column": None, "label_column": None, "key_prefix": "test"}
    return ParquetSource.open(files, classes, **given | options)


def by_plan(location: Path, split: str = "test", **options: Any) -> ParquetSource:
    spec = {"source": "parquet", "location": location} | options
    return open_parquet(SourceSpec.model_validate(spec), split)


def keys(source: ParquetSource) -> list[str]:
    rows = source.read(0, len(source))
    return [row.key if isinstance(row, Sample) else row.reason for row in rows]


@needs_shared
class TestReal:
    def test_imagenet_as_hugging_face_has_it(self) -> None:
        source = by_plan(DATA / "imagenet/hf_parquet", "val", classes="imagenet")
        tables = [
            pq.read_table(path)
            for path in sorted((DATA / "imagenet/hf_parquet/data").glob("*.parquet"))
        ]
        rows = pa.concat_tables(tables, promote_options="permissive").to_pylist()
        samples = list(source.read(0, 60))
        assert len(source) == len(rows) == 60
        assert [sample.image for sample in samples] == [row["image"]["bytes"] for row in rows]
        assert [sample.source_name for sample in samples] == [row["image"]["path"] for row in rows]
        assert [sample.label for sample in samples] == [row["label"] for row in rows]
        assert source.labels() == [row["label"] for row in rows]
        for sample in samples:
            assert sample.header == read_header(sample.image)
            assert sample.key == sample.source_name.removesuffix(".JPEG")
        assert source.notes == ()

    @pytest.mark.parametrize("step", [1, 7, 12, 29, 31])
    def test_any_range_is_a_part_of_the_whole(self, step: int) -> None:
        source = by_plan(DATA / "imagenet/hf_parquet", "validation", classes="imagenet")
        whole = list(source.read(0, 60))
        parts = [
            sample for start in range(0, 60, step) for sample in source.read(start, start + step)
        ]
        assert parts == whole

    def test_classes_are_those_in_the_schema(self) -> None:
        source = by_plan(DATA / "cifar10/hf_parquet/plain_text/test-00000-of-00001.parquet", "any")
        assert source.classes == CIFAR10_CLASSES
        assert len(source) == 1000
        sample = next(iter(source.read(999, 1000)))
        assert isinstance(sample, Sample)
        assert sample.key == "any_00000999"
        assert sample.source_name == "test-00000-of-00001.parquet[999]"

    def test_words_of_imagenet_are_not_unique_so_the_plan_says_what_they_are(self) -> None:
        with pytest.raises(SourceError, match="class ids are not unique; give `classes`"):
            by_plan(DATA / "imagenet/hf_parquet", "val")

    def test_fifty_thousand_rows_in_ten_groups(self) -> None:
        source = opened(
            DATA / "cifar10/train_jpeg/train-00000-of-00001.parquet", classes=CIFAR10_CLASSES
        )
        labels = source.labels()
        assert np.bincount(labels).tolist() == [5000] * 10
        for start in (0, 4999, 25_000, 49_998):
            found = list(source.read(start, start + 2))
            assert [sample.label for sample in found] == labels[start : start + 2]


def test_memory_does_not_grow_with_the_row_group(tmp_path: Path) -> None:
    images = [PNGS[0] + os.urandom(100_000) for _ in range(600)]
    # A page is the least that can be read; Arrow ends one after so many values or a MiB.
    table = pa.table({"image": images, "label": [0] * 600})
    path = tmp_path / "x.parquet"
    pq.write_table(table, path, row_group_size=600, write_batch_size=16)
    del images, table
    source = opened(path)
    before, most = pa.total_allocated_bytes(), 0
    tracemalloc.start()
    for _ in source.read(0, 600):
        most = max(most, pa.total_allocated_bytes() - before)
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert path.stat().st_size > 60_000_000
    assert taken + most < 30_000_000


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([0, None, -1, 2], [0, None, None, 2]),
        (pa.array([0, 1, 2, 2], pa.uint8()), [0, 1, 2, 2]),
        (["n1", "bee", "2", None], [0, 1, 2, None]),
        (["n1", "", "-1", "cat"], [0, None, None, 2]),
        (pa.array(["ant", "bee", "ant", "cat"]).dictionary_encode(), [0, 1, 0, 2]),
        (pa.array(["ant", "bee", "ant", "cat"], pa.large_string()), [0, 1, 0, 2]),
        (pa.nulls(4), [None] * 4),
    ],
)
def test_labels(tmp_path: Path, labels: Any, expected: list[int | None]) -> None:
    source = opened(made(tmp_path / "x.parquet", image=cells(4), label=labels))
    assert [sample.label for sample in source.read(0, 4)] == expected == source.labels()


@pytest.mark.parametrize(
    ("labels", "told"), [([0, 3, -2, 1], ["3", "-2"]), (["ant", "dog", "N1", "bee"], ["dog", "N1"])]
)
def test_a_label_that_is_no_class_is_skipped(
    tmp_path: Path, labels: list[Any], told: list[str]
) -> None:
    source = opened(made(tmp_path / "x.parquet", image=cells(4), label=labels))
    results = list(source.read(0, 4))
    assert results[1:3] == [
        Skipped(f"x.parquet[{row}]", f"no such class: {label}")
        for row, label in zip((1, 2), told, strict=True)
    ]
    assert source.labels() == [0, None, None, 1]


def test_images_that_are_none(tmp_path: Path) -> None:
    images: list[Any] = [
        None,
        {"bytes": None, "path": "elsewhere.png"},
        {"bytes": b"", "path": None},
        {"bytes": b"GIF89a", "path": "a.png"},
        {"bytes": encoded("JPEG"), "path": "b.png"},
    ]
    results = list(opened(made(tmp_path / "x.parquet", image=images, label=[0] * 5)).read(0, 5))
    assert results[:4] == [
        Skipped("x.parquet[0]", "no image in its row"),
        Skipped("elsewhere.png", "no image in its row"),
        Skipped("x.parquet[2]", "zero bytes"),
        Skipped("a.png", "neither PNG nor JPEG"),
    ]
    assert isinstance(results[4], Sample)
    assert (results[4].key, results[4].header.suffix) == ("b", "jpg")


def test_keys_are_paths_where_these_are_unique(tmp_path: Path) -> None:
    paths = [
        "a/one.png",
        "a/two.v2.png",
        None,
        "b/one.png",
        "ü.png",
        "/home/x/own.png",
        "C:\\w.png",
    ]
    source = opened(made(tmp_path / "x.parquet", image=cells(paths), label=[0] * 7))
    expected = ["test_00000000", "two_v2", "test_00000002", "test_00000003", "_", "own", "w"]
    assert keys(source) == expected
    assert [row.source_name for row in source.read(0, 7)] == [
        "a/one.png",
        "a/two.v2.png",
        "x.parquet[2]",
        "b/one.png",
        "ü.png",
        "own.png",
        "w.png",
    ]
    assert [row.key for i in range(7) for row in source.read(i, i + 1)] == expected


def test_a_path_that_looks_like_a_number_yields_to_the_number(tmp_path: Path) -> None:
    numbered = ["test_00000001.png", "test_00000000.png"]
    alone = opened(made(tmp_path / "x.parquet", image=cells(numbered), label=[0] * 2))
    assert keys(alone) == ["test_00000001", "test_00000000"]
    mixed = opened(made(tmp_path / "y.parquet", image=cells([None, *numbered]), label=[0] * 3))
    assert keys(mixed) == ["test_00000000", "test_00000001", "test_00000002"]


def test_rows_are_numbered_over_all_files(tmp_path: Path) -> None:
    files = [
        made(tmp_path / f"test-0000{i}-of-00002.parquet", image=cells(4), label=[i] * 4)
        for i in range(2)
    ]
    source = opened(*files)
    assert keys(source) == [f"test_{i:08d}" for i in range(8)]
    names = [row.source_name for row in source.read(3, 5)]
    assert names == ["test-00000-of-00002.parquet[3]", "test-00001-of-00002.parquet[0]"]
    assert source.labels() == [0] * 4 + [1] * 4


def test_options_of_a_dataset(tmp_path: Path) -> None:
    path = made(
        tmp_path / "x.parquet",
        image=cells(["v_1_n1.JPEG", "v_2_n3.JPEG", "v_3.JPEG"]),
        label=[0, 2, -1],
        coarse=[1, 7, None],
    )
    source = opened(
        path,
        key_of_path=first_letters,
        class_field="wnid",
        text_columns={"coarse": ("x", "y"), "absent": ("z",)},
    )
    assert [(row.key, dict(row.fields)) for row in source.read(0, 3)] == [
        ("v_1", {"wnid": "n1", "coarse": "y"}),
        ("v_2", {"wnid": "n3"}),
        ("v_3", {}),
    ]
    assert list(pickle.loads(pickle.dumps(source)).read(0, 3)) == list(source.read(0, 3))


def first_letters(path: str) -> str:
    return path[:3]


class TestIdentity:
    def test_a_copy_elsewhere_is_the_same(self, tmp_path: Path) -> None:
        one = made(tmp_path / "one/x.parquet", image=cells(6), label=[0] * 6)
        two = made(tmp_path / "two/x.parquet", image=cells(6), label=[0] * 6)
        stat = one.stat()
        os.utime(two, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        assert opened(one).identity == opened(two).identity
        assert opened(one).range_identity(1, 4) == opened(two).range_identity(1, 4)

    def test_it_moves_with_file_and_options(self, tmp_path: Path) -> None:
        path = made(tmp_path / "x.parquet", image=cells(6), label=[0] * 6, other=[1] * 6)
        identities = {
            opened(path).identity,
            opened(path, label_column="other").identity,
            opened(path, key_prefix="val").identity,
            opened(path, classes=ClassList.of_names(("x", "y"))).identity,
            opened(path, class_field="wnid").identity,
        }
        os.utime(path, ns=(1, 1))
        identities.add(opened(path).identity)
        assert len(identities) == 6

    def test_a_range_moves_with_its_own_files_only(self, tmp_path: Path) -> None:
        files = [
            made(tmp_path / f"{i}.parquet", image=cells(6), label=[0, 1, 2] * 2) for i in range(2)
        ]
        before = [opened(*files).range_identity(i, i + 3) for i in (0, 3, 6, 9)]
        assert len(set(before)) == 4
        made(files[1], image=cells(6), label=[0, 1, 1] * 2)
        os.utime(files[1], ns=(5, 5))
        source = opened(*files, made(tmp_path / "2.parquet", image=cells(6), label=[0] * 6))
        after = [source.range_identity(i, i + 3) for i in (0, 3, 6, 9)]
        assert [a == b for a, b in zip(before, after, strict=True)] == [True, True, False, False]

    def test_a_range_moves_when_a_new_file_takes_away_its_keys(self, tmp_path: Path) -> None:
        one = made(tmp_path / "1.parquet", image=cells(["a.png", "b.png"]), label=[0, 1])
        two = made(tmp_path / "2.parquet", image=cells(["a.png", "c.png"]), label=[0, 1])
        before, after = opened(one), opened(one, two)
        assert before.range_identity(0, 1) != after.range_identity(0, 1)
        assert before.range_identity(1, 2) == after.range_identity(1, 2)
