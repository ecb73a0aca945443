from pathlib import Path

import pytest
import torch
from torch import nn

from shards.errors import ModelError
from shards.sample import ClassList
from tasks.models.adapter import ModuleAdapter
from tasks.models.cifar_resnet import cifar_resnet
from tasks.models.labels import bind
from tasks.models.load import load, resolve
from tasks.models.outputs import count_outputs
from tasks.models.spec import Preprocessing
from tests.tasks.models.made import saved, small_state, spec


class OnlyOf(nn.Module):
    """Accepts images of one size, as vision transformers do."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.size = (height, width)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        assert images.shape[-2:] == self.size
        return images.new_zeros(len(images), 7)


@pytest.mark.parametrize(
    ("size", "preprocessing", "outputs"),
    [
        ((32, 32), Preprocessing(), 7),
        ((224, 224), Preprocessing(), 7),
        ((224, 224), Preprocessing(resize=256), 7),
        ((96, 64), Preprocessing(resize=(96, 64)), 7),
        ((40, 40), Preprocessing(resize=64, crop=40), 7),
        ((40, 30), Preprocessing(crop=(40, 30)), 7),
        # Nothing tells its size; the first batch will show its outputs.
        ((28, 28), Preprocessing(), None),
    ],
)
def test_a_black_image_tells(
    size: tuple[int, int], preprocessing: Preprocessing, outputs: int | None
) -> None:
    assert count_outputs(ModuleAdapter(OnlyOf(*size)), preprocessing) == outputs


def test_scores_of_another_shape_tell_nothing() -> None:
    assert count_outputs(ModuleAdapter(nn.Identity()), Preprocessing()) is None


def bound_to(classes: int, folder: Path, **changes: object) -> str:
    """What is said of a network of ten outputs on so many classes; empty where it is loaded."""
    file = saved(small_state(), folder / "w.pth")
    model = resolve(spec(weights=file, **changes))
    names = ClassList.of_names(tuple(f"c{index}" for index in range(classes)))
    try:
        load(bind(model, names))
    except ModelError as refused:
        return str(refused)
    return ""


def test_both_numbers_and_the_way_out_are_named(tmp_path: Path) -> None:
    assert bound_to(10, tmp_path) == ""
    message = bound_to(1000, tmp_path)
    assert message.startswith("model m has 10 outputs, the dataset 1000 classes; say in `labels`")
    assert bound_to(9, tmp_path, labels={"ignore": [0]}) == ""
    message = bound_to(10, tmp_path, labels={"ignore": [0]})
    assert message.startswith("model m has 10 outputs, its labels name 11; give `labels` one entry")
    assert "its labels name 3" in bound_to(10, tmp_path, labels=["c2", "c1", None])


def test_the_number_of_an_unbound_model_is_free(tmp_path: Path) -> None:
    file = saved(cifar_resnet(8, classes=3).state_dict(), tmp_path / "w.pth")
    model = resolve(spec(weights=file, arguments={"depth": 8, "classes": 3}))
    assert load(model).scores(torch.rand(1, 3, 32, 32)).shape == (1, 3)
