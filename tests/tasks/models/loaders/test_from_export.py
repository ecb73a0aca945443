from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tasks.models.cifar_resnet import cifar_resnet
from tasks.models.load import load, resolve
from tasks.models.spec import ModelSpec
from tests.tasks.models.cifar import AS_TRAINED
from tests.tasks.models.made import small_state, told


def exported(file: Path, network: nn.Module, *inputs: Tensor, dynamic: bool = True) -> Path:
    shapes = [{0: torch.export.Dim.DYNAMIC} for _ in inputs] if dynamic else None
    program = torch.export.export(network, inputs, dynamic_shapes=shapes)
    torch.export.save(program, file)
    return file


def small() -> nn.Module:
    network = cifar_resnet(8)
    network.load_state_dict(small_state())
    return network.eval()


def export_spec(file: Path, *, trusted: bool = True) -> ModelSpec:
    return ModelSpec(name="m", loader=f"export:{file}", preprocessing=AS_TRAINED, trusted=trusted)


@pytest.mark.parametrize("dynamic", [True, False])
def test_a_program_scores_as_the_network_did(tmp_path: Path, dynamic: bool) -> None:
    file = exported(tmp_path / "m.pt2", small(), torch.rand(2, 3, 32, 32), dynamic=dynamic)
    adapter = load(resolve(export_spec(file))).on(torch.device("cpu"))
    for count in (1, 2, 5):
        images = torch.rand(count, 3, 32, 32)
        with torch.inference_mode():
            torch.testing.assert_close(adapter.scores(images), small()(images))
    assert adapter.module is None


def test_nothing_is_unpickled_that_nobody_vouched_for(tmp_path: Path) -> None:
    file = tmp_path / "m.pt2"
    file.write_bytes(b"not even looked into")
    message = told(export_spec(file, trusted=False))
    assert "`trusted: true`" in message
    assert str(file) in message


def test_vouching_is_no_part_of_the_model_version(tmp_path: Path) -> None:
    file = exported(tmp_path / "m.pt2", small(), torch.rand(2, 3, 32, 32))
    model = resolve(export_spec(file))
    distrusted = model.spec.model_copy(update={"trusted": False})
    assert model.model_copy(update={"spec": distrusted}).fingerprint == model.fingerprint


class _Two(nn.Module):
    def forward(self, images: Tensor, others: Tensor) -> Tensor:
        return (images + others).mean((2, 3))


def test_what_is_no_program_of_one_input(tmp_path: Path) -> None:
    file = tmp_path / "m.pt2"
    file.write_bytes(b"no archive")
    assert f"{file} cannot be used as an exported program" in told(export_spec(file))
    exported(file, _Two(), torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8, 8), dynamic=False)
    assert f"{file} cannot be used as an exported program" in told(export_spec(file))
