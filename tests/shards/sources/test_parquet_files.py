import os
from pathlib import Path

import pytest

from shards.errors import SourceError
from shards.sources.parquet_files import split_files
from tests.shards.sources.test_parquet import PNGS, by_plan, cells, made, opened


class TestFiles:
    @pytest.mark.parametrize(
        ("names", "split", "expected"),
        [
            (["data/train-00000-of-00001", "data/validation-00000-of-00001"], "val", [1]),
            (
                ["data/test-00001-of-00002", "data/test-00000-of-00002", "data/train-0"],
                "test",
                [1, 0],
            ),
            (["plain_text/test-00000-of-00001", "plain_text/train-00000-of-00001"], "train", [1]),
            (["default/test/0000", "default/train/0000"], "test", [0]),
            (["part-1", "part-0"], "test", [1, 0]),
            (["valid", "train"], "validation", [0]),
            (["holdout-0", "train-0"], "holdout", [0]),
            ([".cache/test-0", "data/test-0"], "test", [1]),
        ],
    )
    def test_those_of_a_split(
        self, tmp_path: Path, names: list[str], split: str, expected: list[int]
    ) -> None:
        for name in names:
            made(tmp_path / f"{name}.parquet", image=PNGS[:1], label=[0])
        found = split_files(tmp_path, split)
        assert found == [tmp_path / f"{names[i]}.parquet" for i in expected]

    def test_none_of_the_split(self, tmp_path: Path) -> None:
        made(tmp_path / "train-0.parquet", image=PNGS[:1], label=[0])
        with pytest.raises(
            SourceError, match=r"no Parquet file of the split 'test' here \(train-0"
        ):
            by_plan(tmp_path)
        with pytest.raises(SourceError, match=r"nowhere: no Parquet file .* \(none at all\)"):
            by_plan(tmp_path / "nowhere")

    @pytest.mark.parametrize(
        "names", [("a/test-0", "b/test-0"), ("test-00000-of-00001", "test-00000-of-00002")]
    )
    def test_two_sets(self, tmp_path: Path, names: tuple[str, str]) -> None:
        for name in names:
            made(tmp_path / f"{name}.parquet", image=PNGS[:1], label=[0])
        with pytest.raises(SourceError, match="several sets of Parquet files of the split 'test'"):
            by_plan(tmp_path, classes=("a",))

    def test_missing_files_are_noted(self, tmp_path: Path) -> None:
        for i in (0, 2):
            made(tmp_path / f"test-0000{i}-of-00003.parquet", image=PNGS[:1], label=[0])
        assert by_plan(tmp_path, classes=("a",)).notes == ("2 of the 3 Parquet files are there",)

    def test_no_files(self) -> None:
        with pytest.raises(SourceError, match="no Parquet files"):
            opened()

    @pytest.mark.parametrize("kept", [0.0, 0.3, 0.99])
    def test_cut_short(self, tmp_path: Path, kept: float) -> None:
        path = made(tmp_path / "x.parquet", image=cells(12), label=[0] * 12)
        raw = path.read_bytes()
        path.write_bytes(raw[: int(len(raw) * kept)])
        with pytest.raises(SourceError, match=r"x\.parquet: cut short, damaged or no Parquet file"):
            by_plan(path)

    def test_damage_within(self, tmp_path: Path) -> None:
        path = made(tmp_path / "x.parquet", image=cells(12), label=[0] * 12)
        source = opened(path)
        raw, facts = path.read_bytes(), path.stat()
        path.write_bytes(raw[:4] + bytes(len(raw) // 2) + raw[4 + len(raw) // 2 :])
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        with pytest.raises(SourceError, match=r"x\.parquet: cut short, damaged"):
            list(source.read(0, 12))

    def test_another_file_of_the_same_name(self, tmp_path: Path) -> None:
        source = opened(made(tmp_path / "x.parquet", image=cells(12), label=[0] * 12))
        made(tmp_path / "x.parquet", image=cells(12), label=[1] * 12)
        os.utime(tmp_path / "x.parquet", ns=(1, 1))
        with pytest.raises(SourceError, match=r"x\.parquet changed since it was listed; run agai"):
            list(source.read(0, 12))
