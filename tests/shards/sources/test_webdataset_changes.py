import os
import pickle
from pathlib import Path

import pytest

from shards.errors import SourceError
from tests.shards.sources.made_webdataset import JPEG, opened, read, sample, written


def test_a_range_moves_with_its_shards_alone(tmp_path: Path) -> None:
    for number in range(3):
        written(tmp_path / f"{number}.tar", *[sample(f"{number}{i}", note="a") for i in range(4)])
    before = opened(tmp_path)
    written(tmp_path / "1.tar", *[sample(f"1{i}", note="b") for i in range(4)])
    written(tmp_path / "3.tar", sample("30"))
    after = opened(tmp_path)
    assert before.identity != after.identity
    assert before.range_identity(0, 4) == after.range_identity(0, 4)
    assert before.range_identity(3, 6) != after.range_identity(3, 6)
    assert before.range_identity(8, 12) == after.range_identity(8, 12)
    again = pickle.loads(pickle.dumps(after))
    assert again.identity == after.identity
    assert list(again.read(0, 99)) == list(after.read(0, 99))
    whole = list(after.read(0, 13))
    for start in range(13):
        assert list(after.read(start, start + 5)) == whole[start : start + 5]


def test_identity_does_not_move_with_the_place(tmp_path: Path) -> None:
    one = written(tmp_path / "one/0.tar", sample("a")).parent
    two = written(tmp_path / "two/0.tar", sample("a")).parent
    assert opened(one).identity == opened(two).identity
    relabelled = written(tmp_path / "three/0.tar", sample("a", 1)).parent
    said = [opened(at, classes=("ant", "bee")).identity for at in (one, two, relabelled)]
    assert said[0] == said[1] != said[2]


def test_shards_by_a_glob(tmp_path: Path) -> None:
    for name in ("x/a-2.tar", "x/a-10.tar", "y/b-1.tar"):
        written(tmp_path / name, sample(Path(name).stem))
    assert [r.key for r in read(opened(tmp_path, include="**/a-*.tar"))] == ["a-2", "a-10"]
    assert len(opened(tmp_path / "y/b-1.tar")) == 1
    for include in ("z/*.tar", "/abs/*", ""):
        with pytest.raises(SourceError, match=r"include|no \.tar for test"):
            opened(tmp_path, include=include)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nowhere: no \.tar for test; point `location`"):
        opened(tmp_path / "nowhere")
    (tmp_path / "0.tar.gz").touch()
    with pytest.raises(SourceError, match=r"0\.tar\.gz is packed; unpack it"):
        opened(tmp_path)
    whole = written(tmp_path / "0.tar", sample("a", image=JPEG.ljust(3000, b"\0"))).read_bytes()
    for cut in (0, 100, 2000, 4000):
        (tmp_path / "0.tar").write_bytes(whole[:cut])
        with pytest.raises(SourceError, match=r"0\.tar: cut short"):
            opened(tmp_path)
    (tmp_path / "0.tar").write_bytes(whole)
    with pytest.raises(SourceError, match="not unique"):
        opened(tmp_path, classes=("ant", "ant"))


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_tar_that_changes_after_it_was_listed_ends_the_build(tmp_path: Path, when: str) -> None:
    path = written(tmp_path / "test-0.tar", sample("a"), sample("b"))
    source = opened(tmp_path)
    results = source.read(0, 2)
    if when == "meanwhile":
        next(results)
    os.utime(path, ns=(1, 1))
    with pytest.raises(SourceError, match=r"test-0\.tar changed since it was listed; run again"):
        list(results)
