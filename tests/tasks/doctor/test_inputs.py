from pathlib import Path

import pytest

from tasks.doctor.inputs import Input, check_inputs


def test_files_and_folders_of_the_plan(tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"123")
    (tmp_path / "images").mkdir()
    (tmp_path / "images/a.png").write_bytes(b"12")
    there = [Input("weights", tmp_path / "weights"), Input("images", tmp_path / "images")]
    (check,) = check_inputs(there)
    assert (check.state, check.said) == ("fine", "all 2 files and folders can be read")
    assert [each.size for each in there] == [3, 2]


def test_what_nobody_may_read_takes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_dir", refuse)
    assert Input("closed", tmp_path).size == 0
    assert Input("closed", tmp_path).fault == "Permission denied"


def test_each_that_is_missing_or_empty_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "nothing").write_bytes(b"")
    names = ("gone", "empty", "nothing")
    found = list(check_inputs([Input(name, tmp_path / name) for name in names]))
    assert [check.name for check in found] == list(names)
    assert [check.said.rpartition(": ")[2] for check in found] == [
        *("No such file or directory", "is empty", "is empty")
    ]
    assert {check.state for check in found} == {"fault"}
    assert Input("gone", tmp_path / "gone").size == 0
