from pathlib import Path

import pytest

from shards.errors import SourceError
from tests.shards.sources.test_imagenet_folder import made, opened


def test_nothing_that_is_known(tmp_path: Path) -> None:
    made(tmp_path, "ant/a.png")
    for location in (tmp_path, tmp_path / "nowhere", tmp_path / "ant"):
        with pytest.raises(SourceError, match=f"{location}: no val split of ImageNet here; point"):
            opened(location, "val")
    made(tmp_path, "train/n01440764/a.JPEG")
    with pytest.raises(SourceError, match="no val split of ImageNet here"):
        opened(tmp_path, "val")
