import os
from pathlib import Path

import pytest

from shards.errors import SourceError
from shards.sources.files import list_folder, refuse_changed


def test_links_in_folders(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere/n1"
    elsewhere.mkdir(parents=True)
    (elsewhere / "a.png").write_bytes(b"1")
    (elsewhere / "back").symlink_to(tmp_path)
    root = tmp_path / "root"
    root.mkdir()
    (root / "file.png").symlink_to(elsewhere / "a.png")
    (root / "folder").symlink_to(elsewhere)
    (root / "nowhere.png").symlink_to(tmp_path / "nowhere")
    (root / "self").symlink_to(root)
    os.mkfifo(root / "pipe.png")
    assert {file.name: file.refusal for file in list_folder(root)} == {
        "file.png": None,
        "folder/a.png": None,
        "folder/back": "a link into the same dataset",
        "nowhere.png": "No such file or directory",
        "pipe.png": "not a regular file",
        "self": "a link into the same dataset",
    }


def test_the_order_is_that_of_path_parts(tmp_path: Path) -> None:
    for name in ("a-1/x.png", "a/x.png", "a.png", "a/b/c.png", "a/B.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    listed = [file.name for file in list_folder(tmp_path)]
    assert listed == ["a/B.png", "a/b/c.png", "a/x.png", "a-1/x.png", "a.png"]
    assert listed == [file.name for file in list_folder(tmp_path, "**/*.png")]


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"12")
    os.utime(path, ns=(0, 5))
    refuse_changed(path, (2, 5))
    for state in ((2, 6), (3, 5)):
        with pytest.raises(SourceError, match="x changed since it was listed; run again when"):
            refuse_changed(path, state)
