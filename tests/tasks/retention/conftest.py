"""A store of evaluations, made once for a module and copied for each test."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from shards.store import Store
from tests.support.pruned import MODELS, TARGETS, VERSIONS, Template
from tests.support.stored import (
    logits,
    pair_name,
    store_evaluation,
)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    store = Store.at(tmp_path_factory.mktemp("template"))
    scored = {}
    for model in MODELS:
        for version in VERSIONS:
            scores = logits(TARGETS, 3, skill=int(version), seed=int(version))
            scored[model, version] = store_evaluation(
                store, pair_name(model), scores, TARGETS.tolist(), version=version, per_shard=4
            )
    return Template(store, scored)


@pytest.fixture
def store(template: Template, tmp_path: Path) -> Store:
    shutil.copytree(template.store.root, tmp_path / "root")
    return Store.at(tmp_path / "root")


@pytest.fixture(autouse=True)
def clean_memory() -> Iterator[None]:
    yield
    MemoryFileSystem.store.clear()
