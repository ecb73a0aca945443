from pathlib import Path

import pytest

from shards.sources.webdataset_shards import find_shards


@pytest.mark.parametrize(
    ("names", "split", "chosen"),
    [
        (["a-train-0.tar", "a-val-0.tar", "a-val-1.tar"], "val", ["a-val-0.tar", "a-val-1.tar"]),
        (
            ["x_validation_00-of-02.tar", "x_train_00-of-02.tar"],
            "val",
            ["x_validation_00-of-02.tar"],
        ),
        (["10.tar", "9.tar"], "val", ["9.tar", "10.tar"]),
        (["train-cut-test-000000.tar"], "test", ["train-cut-test-000000.tar"]),
        (["shard-1.tar", ".hidden.tar", "notes.txt"], "dusk", ["shard-1.tar"]),
    ],
)
def test_which_shards(tmp_path: Path, names: list[str], split: str, chosen: list[str]) -> None:
    for name in names:
        (tmp_path / name).touch()
    assert [path.name for path in find_shards(tmp_path, split)] == chosen
