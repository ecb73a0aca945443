import errno
from pathlib import Path
from typing import NoReturn

import pytest

from shards.errors import SourceError
from shards.sources.cifar import CifarSource
from shards.sources.folder import FolderSource
from shards.sources.opening import open_source
from shards.sources.source import SourceSpec
from shards.sources.tar_source import TarSource
from tests.shards.made import encoded
from tests.support.shared_data import SHARED, needs_shared


@needs_shared
@pytest.mark.parametrize(
    ("source", "location", "split", "kind", "entries"),
    [
        ("cifar10", "data/cifar10", "test", CifarSource, 10000),
        ("imagenet", "data/imagenet/official", "val", TarSource, 328),
    ],
)
def test_each_kind_is_opened(
    source: str, location: str, split: str, kind: type, entries: int
) -> None:
    spec = SourceSpec.model_validate({"source": source, "location": SHARED / location})
    opened = open_source(spec, split)
    assert isinstance(opened, kind)
    assert len(opened) == entries
    assert str(SHARED) not in opened.layout


def test_a_folder_is_opened(tmp_path: Path) -> None:
    (tmp_path / "ant").mkdir()
    (tmp_path / "ant/1.png").write_bytes(encoded("PNG"))
    opened = open_source(SourceSpec(source="folder", location=tmp_path), "any")
    assert isinstance(opened, FolderSource)
    assert len(opened) == 1


@pytest.mark.parametrize("source", ["cifar10", "imagenet", "folder"])
def test_a_wrong_location(tmp_path: Path, source: str) -> None:
    spec = SourceSpec.model_validate({"source": source, "location": tmp_path / "nowhere"})
    with pytest.raises(SourceError, match="nowhere"):
        open_source(spec, "val" if source == "imagenet" else "test")


def test_a_location_that_may_not_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> NoReturn:
        raise PermissionError(errno.EACCES, "Permission denied", "/x/y.tar")

    monkeypatch.setattr("shards.sources.opening.open_imagenet", refuse)
    with pytest.raises(
        SourceError, match=r"^/x/y\.tar cannot be read .Permission denied.; make it"
    ):
        open_source(SourceSpec(source="imagenet", location=Path("/x")), "val")
