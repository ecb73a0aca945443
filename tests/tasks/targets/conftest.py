from pathlib import Path

import pytest

from shards.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.at(tmp_path)
