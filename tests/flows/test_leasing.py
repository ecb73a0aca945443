"""Commands that work on what is stored hold a lease meanwhile, which a prune respects."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shards.store import Store
from tasks.leases import read_leases
from tests.support.stored import logits, pair_name, store_evaluation

Command = Callable[..., int]
Watch = Callable[[str], list[tuple[str, tuple[str, ...]]]]
PLAN = Path(__file__).parents[1] / "plans" / "small.yaml"
TARGETS = np.arange(40) % 4


@pytest.fixture
def watch(root: Path, monkeypatch: pytest.MonkeyPatch) -> Watch:
    """The leases that are held, as work and splits, whenever the named function is called."""

    def watched(name: str) -> list[tuple[str, tuple[str, ...]]]:
        seen: list[tuple[str, tuple[str, ...]]] = []
        module, _, attribute = name.rpartition(".")
        work = getattr(importlib.import_module(module), attribute)

        def call(*words: Any, **named: Any) -> Any:
            seen.extend((lease.work, lease.splits) for lease in read_leases(Store.at(root)))
            return work(*words, **named)

        monkeypatch.setattr(name, call)
        return seen

    return watched


def left(root: Path) -> list[str]:
    return [str(lease) for lease in read_leases(Store.at(root))]


@pytest.fixture
def two(root: Path) -> Path:
    """Two models that were evaluated on the same images."""
    for model in ("old", "new"):
        scores = logits(TARGETS, 4, skill=2, seed=len(model))
        store_evaluation(Store.at(root), pair_name(model), scores, TARGETS.tolist())
    return root


def test_rescore(two: Path, watch: Watch, nightmark: Command) -> None:
    seen = watch("flows.cli.rescoring.rescore_stored")
    assert nightmark("rescore", "made/test/old") == 0
    assert seen == [("rescoring", ("made/test",))]
    assert left(two) == []


def test_rescore_of_a_plan(two: Path, watch: Watch, nightmark: Command, tmp_path: Path) -> None:
    seen = watch("flows.cli.rescoring.rescore_stored")
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        "{name: p, datasets: [{name: made, split: test, source: folder, location: gone}], "
        "models: [{name: old, loader: 'timm:resnet18'}]}"
    )
    assert nightmark("rescore", plan) == 0
    assert seen == [("rescoring", ("made/test",))]


def test_compare(two: Path, watch: Watch, nightmark: Command) -> None:
    seen = watch("flows.cli.comparing.compare_stored")
    assert nightmark("compare", "made/test/old", "made/test/new") == 0
    assert seen == [("comparison", ("made/test",))]
    assert left(two) == []


def test_import_predictions(root: Path, watch: Watch, nightmark: Command, tmp_path: Path) -> None:
    seen = watch("flows.evaluate.predict")
    np.save(tmp_path / "scores.npy", 9 * np.eye(10, dtype=np.float32)[np.arange(20) % 10])
    words = ("--dataset", "cifar10", "--model", "theirs")
    assert nightmark("import-predictions", PLAN, tmp_path / "scores.npy", *words) in (0, 1)
    assert seen == [("evaluation", ("cifar10/test",))]
    assert left(root) == []
