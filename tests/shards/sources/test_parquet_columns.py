from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shards.errors import SourceError
from shards.sources.builtin import builtin_classes
from tests.shards.sources.test_parquet import PNGS, by_plan, cells, made, opened


@pytest.mark.parametrize("packing", ["struct", "bytes only", "binary", "large_binary"])
def test_columns_of_images(tmp_path: Path, packing: str) -> None:
    images = {
        "struct": cells(4),
        "bytes only": [{"bytes": png} for png in PNGS[:4]],
        "binary": PNGS[:4],
        "large_binary": pa.array(PNGS[:4], pa.large_binary()),
    }[packing]
    source = opened(made(tmp_path / "x.parquet", img=images, label=[0, 1, 2, 0]))
    samples = list(source.read(0, 4))
    assert [sample.image for sample in samples] == PNGS[:4]
    assert [sample.label for sample in samples] == [0, 1, 2, 0]
    assert [sample.key for sample in samples] == [f"test_{i:08d}" for i in range(4)]
    assert [sample.source_name for sample in samples] == [f"x.parquet[{i}]" for i in range(4)]


class TestColumns:
    def test_other_names(self, tmp_path: Path) -> None:
        path = made(tmp_path / "x.parquet", picture=PNGS[:2], kind=["ant", "bee"], n=[1, 2])
        with pytest.raises(SourceError, match="no column image or img among picture, kind, n; nam"):
            opened(path)
        with pytest.raises(SourceError, match=r"no column label or fine_label among .*label_col"):
            opened(path, image_column="picture")
        with pytest.raises(SourceError, match="no column absent among"):
            opened(path, image_column="picture", label_column="absent")
        with pytest.raises(SourceError, match="no column absent among"):
            opened(path, image_column="absent")
        assert opened(path, image_column="picture", label_column="kind").labels() == [0, 1]

    def test_other_types(self, tmp_path: Path) -> None:
        path = made(tmp_path / "x.parquet", image=[[1, 2]], label=[0.5], img=[{"url": "x"}])
        for name in ("image", "img"):
            with pytest.raises(SourceError, match=f"the column {name} is .*, not encoded images"):
                opened(path, image_column=name)
        path = made(tmp_path / "y.parquet", image=PNGS[:1], label=[0.5])
        with pytest.raises(SourceError, match="the column label is double, not integers or text"):
            opened(path)

    def test_images_alone_are_unlabelled(self, tmp_path: Path) -> None:
        source = opened(made(tmp_path / "x.parquet", image=PNGS[:2]))
        assert [sample.label for sample in source.read(0, 2)] == [None, None] == source.labels()
        assert source.notes == ("no column of labels: every sample is unlabelled",)

    def test_files_that_differ(self, tmp_path: Path) -> None:
        one = made(tmp_path / "1.parquet", image=PNGS[:2], label=[0, 1])
        two = made(tmp_path / "2.parquet", image=cells(2), label=[0, 1])
        with pytest.raises(SourceError, match=r"2\.parquet: other columns than 1\.parquet"):
            opened(one, two)


class TestClasses:
    def test_names_in_the_schema(self, tmp_path: Path) -> None:
        path = made(tmp_path / "x.parquet", names=["b", "a"], image=cells(2), label=[0, 1])
        assert by_plan(path).classes.names == ("b", "a")

    def test_nothing_says_them(self, tmp_path: Path) -> None:
        path = made(tmp_path / "x.parquet", image=cells(2), label=[0, 1])
        with pytest.raises(SourceError, match="names no classes; give `classes` in the plan"):
            by_plan(path)
        assert by_plan(path, classes=("x", "y")).classes.ids == ("x", "y")
        assert by_plan(path, classes="mnist").classes == builtin_classes("mnist")
        with pytest.raises(SourceError, match="class ids are not unique"):
            by_plan(path, classes=("x", "x"))

    @pytest.mark.parametrize("classes", [("a", "b"), ("x", "y", "z")])
    def test_others_than_in_the_schema(self, tmp_path: Path, classes: tuple[str, ...]) -> None:
        path = made(tmp_path / "x.parquet", names=["b", "a"], image=cells(2), label=[0, 1])
        with pytest.raises(SourceError, match=r"give `classes` in the order of the schema \(b, a"):
            by_plan(path, classes=classes)

    def test_better_words_for_the_same(self, tmp_path: Path) -> None:
        path = made(tmp_path / "x.parquet", names=["b", "a"], image=cells(2), label=[0, 1])
        assert by_plan(path, classes=("bee", "ant")).classes.names == ("bee", "ant")

    @pytest.mark.parametrize("told", [b"junk", b"[]", b'{"info": {"features": {"label": null}}}'])
    def test_metadata_of_another_kind(self, tmp_path: Path, told: bytes) -> None:
        table = pa.table({"image": cells(1), "label": [0]})
        pq.write_table(table.replace_schema_metadata({"huggingface": told}), tmp_path / "x.parquet")
        with pytest.raises(SourceError, match="names no classes"):
            by_plan(tmp_path / "x.parquet")
