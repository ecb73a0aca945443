from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

Write = Callable[..., Path]


def small_plan() -> dict[str, Any]:
    return {
        "name": "small",
        "datasets": [{"name": "d", "split": "test", "source": "folder", "location": "images"}],
        "models": [{"name": "m", "loader": "timm:resnet18"}],
    }


@pytest.fixture
def plan() -> dict[str, Any]:
    """A valid plan, to be changed."""
    return small_plan()


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a plan (a tree, or text as it is) to plan.yaml."""

    def write_plan(tree: dict[str, Any] | str) -> Path:
        text = tree if isinstance(tree, str) else yaml.safe_dump(tree, sort_keys=False)
        path = tmp_path / "plan.yaml"
        path.write_text(text, "utf-8")
        return path

    return write_plan
