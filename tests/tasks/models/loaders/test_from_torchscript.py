import warnings
from pathlib import Path

import pytest
import torch

from tasks.models.cifar_resnet import cifar_resnet
from tasks.models.load import load, resolve
from tasks.models.spec import ModelSpec
from tests.tasks.models.cifar import AS_TRAINED
from tests.tasks.models.made import saved, small_state, told


def scripted(file: Path) -> Path:
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        torch.jit.script(cifar_resnet(8)).save(file)
    return file


def script_spec(file: Path) -> ModelSpec:
    return ModelSpec(name="m", loader=f"torchscript:{file}", preprocessing=AS_TRAINED)


def test_a_script_scores_as_the_network_did(tmp_path: Path) -> None:
    model = resolve(script_spec(scripted(tmp_path / "m.pt")))
    assert model.spec.loader == "torchscript"
    adapter = load(model).on(torch.device("cpu"))
    network = cifar_resnet(8)
    network.load_state_dict(small_state())
    images = torch.rand(3, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(adapter.scores(images), network.eval()(images))
    assert adapter.module is None
    with pytest.raises(ValueError, match="ScriptAdapter takes no CifarResNet"):
        adapter.around(network)


@pytest.mark.parametrize("content", ["text", "weights"])
def test_what_is_no_script(tmp_path: Path, content: str) -> None:
    file = tmp_path / "m.pt"
    if content == "text":
        file.write_text("no archive")
    else:
        saved(small_state(), file)
    assert told(script_spec(file)).startswith(f"model m: {file} cannot be read as TorchScript (")


def test_a_missing_file(tmp_path: Path) -> None:
    message = told(script_spec(tmp_path / "m.pt"))
    assert message == f"model m: weights {tmp_path / 'm.pt'}: no such file"
