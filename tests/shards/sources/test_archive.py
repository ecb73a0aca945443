import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from shards.errors import SourceError
from shards.sources.archive import read_files

REMEDY = "fetch it again"
CONTENTS = {"b.bin": b"second" * 3, "a.bin": b"first"}
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "x.tar": bytes,
    "x.tar.gz": gzip.compress,
    "x.tar.bz2": bz2.compress,
    "x.tar.xz": lzma.compress,
}


def made_tar(contents: Mapping[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as tar:
        for name, content in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return sink.getvalue()


def made(root: Path, name: str, contents: Mapping[str, bytes] = CONTENTS) -> Path:
    """A folder or an archive of the files, which lie in a sub-folder ``kit``."""
    path = root / name
    if name in PACKERS:
        tar = made_tar({f"kit/{inner}": content for inner, content in contents.items()})
        path.write_bytes(PACKERS[name](tar))
        return path
    (path / "kit").mkdir(parents=True)
    for inner, content in contents.items():
        (path / "kit" / inner).write_bytes(content)
    return path


@pytest.mark.parametrize("name", [*PACKERS, "folder"])
def test_packed_or_not_the_contents_are_the_same(tmp_path: Path, name: str) -> None:
    location = made(tmp_path, name, CONTENTS | {"other.bin": b"of no interest"})
    for names in (("a.bin", "b.bin"), ("b.bin", "a.bin"), ("a.bin",)):
        found = read_files(location, names, REMEDY)
        assert list(found.items()) == [(inner, CONTENTS[inner]) for inner in names]


@pytest.mark.parametrize("name", [*PACKERS, "folder"])
def test_a_missing_name(tmp_path: Path, name: str) -> None:
    location = made(tmp_path, name)
    with pytest.raises(SourceError) as caught:
        read_files(location, ("c.bin", "a.bin", "d.bin"), REMEDY)
    assert str(caught.value) == f"{location}: c.bin, d.bin missing; {REMEDY}"


def test_a_folder_of_that_name_is_no_file(tmp_path: Path) -> None:
    location = made(tmp_path, "folder", {"b.bin": b"x"})
    (location / "a.bin").mkdir()
    archive = tmp_path / "x.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(location, "kit")
    for place in (location, archive):
        with pytest.raises(SourceError, match=r"a\.bin missing"):
            read_files(place, ("a.bin", "b.bin"), REMEDY)


def test_a_member_that_was_written_again_counts_as_last_written(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(made_tar({"a.bin": b"old"}))
    with tarfile.open(path, "a") as tar:
        info = tarfile.TarInfo("a.bin")
        info.size = 3
        tar.addfile(info, io.BytesIO(b"new"))
    assert read_files(path, ("a.bin",), REMEDY) == {"a.bin": b"new"}


def test_the_upper_of_two_files_in_a_folder_is_read(tmp_path: Path) -> None:
    for folder in (tmp_path / "Backup", tmp_path / "old"):
        folder.mkdir()
        (folder / "b.bin").write_bytes(b"a copy below")
    (tmp_path / "b.bin").write_bytes(b"as pointed at")
    assert read_files(tmp_path, ("b.bin",), REMEDY) == {"b.bin": b"as pointed at"}


@pytest.mark.parametrize("raw", [b"", b"<html>404</html>", b"\x1f\x8b", bytes(100)])
def test_what_is_no_archive(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "x.tar.gz"
    path.write_bytes(raw)
    with pytest.raises(SourceError) as caught:
        read_files(path, ("a.bin",), REMEDY)
    assert str(caught.value).startswith(f"{path} cannot be read as an archive (")
    assert str(caught.value).endswith(f"); {REMEDY}")


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=rf"nowhere cannot be read .*; {REMEDY}$"):
        read_files(tmp_path / "nowhere", ("a.bin",), REMEDY)


@pytest.mark.parametrize("name", PACKERS)
@pytest.mark.parametrize("damage", ["cut", "zeros"])
def test_a_damaged_archive(tmp_path: Path, name: str, damage: str) -> None:
    noise = np.random.default_rng(0).bytes(200_000)
    path = made(tmp_path, name, {"a.bin": noise})
    raw = path.read_bytes()
    for part in (0.2, 0.5, 0.9):
        at = int(len(raw) * part)
        path.write_bytes(raw[:at] if damage == "cut" else raw[:at] + bytes(64) + raw[at + 64 :])
        if name == "x.tar" and damage == "zeros":
            continue  # nothing in a plain tar says what its files were
        with pytest.raises(SourceError) as caught:
            read_files(path, ("a.bin",), REMEDY)
        assert str(path) in str(caught.value)
        assert str(caught.value).endswith(f"; {REMEDY}")
