from pathlib import Path

import numpy as np
import pytest

from shards.store import Store
from tasks.models.description import ModelDescription, describe
from tasks.models.spec import IMPORTED, ModelSpec
from tests.tasks.models.made import saved, small_state, spec


def test_a_network_in_figures(tmp_path: Path) -> None:
    file = saved(small_state(), tmp_path / "w.pth")
    found = describe(Store.at(tmp_path), spec(weights=file))
    assert isinstance(found, ModelDescription)
    learned = sum(
        tensor.numel()
        for name, tensor in small_state().items()
        if name.endswith(("weight", "bias"))
    )
    assert (found.parameters, found.outputs) == (learned, 10)
    assert (found.files, found.size) == ((file,), file.stat().st_size)
    assert found.origin == ""
    assert found.labels == "the dataset's order"


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (["a", None], "2 outputs mapped by the plan"),
        ({"ignore": [0]}, "mapped by the plan"),
        ("dataset-order", "the dataset's order"),
    ],
)
def test_labels_in_words(tmp_path: Path, labels: object, told: str) -> None:
    file = saved(small_state(), tmp_path / "w.pth")
    found = describe(Store.at(tmp_path), spec(weights=file, labels=labels))
    assert isinstance(found, ModelDescription)
    assert found.labels == told


def test_imported_scores_have_nothing_to_load(tmp_path: Path) -> None:
    np.save(tmp_path / "scores.npy", np.zeros((2, 3)))
    found = describe(
        Store.at(tmp_path), ModelSpec(name="m", loader=IMPORTED, weights=tmp_path / "scores.npy")
    )
    assert isinstance(found, ModelDescription)
    assert (found.parameters, found.outputs) == (None, None)
    assert found.preprocessing == "none: predictions are imported"


def test_a_broken_model_is_a_sentence(tmp_path: Path) -> None:
    file = saved({}, tmp_path / "w.pth")
    found = describe(Store.at(tmp_path), spec(weights=file))
    assert isinstance(found, str)
    assert found.startswith(f"model m: {file} does not fit")
