from pathlib import Path

import pytest

from tests.tasks.models.made import saved, spec, told


@pytest.mark.parametrize(
    ("loader", "fault"),
    [
        ("module:no.such.module:factory", "ModuleNotFoundError"),
        ("module:tasks.models.cifar_resnet:missing", "AttributeError"),
        ("module:tasks.models.cifar_resnet:STAGE_CHANNELS", "TypeError"),
        ("module:tests.support.faulty_models:failing", "LookupError: the factory has lost"),
        ("timm:no_such_network", "RuntimeError: Unknown model"),
        ("torchvision:no_such_network", "ValueError: Unknown model"),
    ],
)
def test_factories_that_cannot_be_used(tmp_path: Path, loader: str, fault: str) -> None:
    path = saved({}, tmp_path / "w.pth")
    message = told(spec(loader=loader, weights=path, arguments={}))
    assert message.startswith(f"model m: {loader} cannot be built: {fault}")


def test_a_factory_that_makes_no_network(tmp_path: Path) -> None:
    path = saved({}, tmp_path / "w.pth")
    loader = "module:tests.support.faulty_models:no_network"
    assert (
        told(spec(loader=loader, weights=path, arguments={})) == f"model m: {loader} returned str"
    )


def test_a_module_without_a_factory(tmp_path: Path) -> None:
    path = saved({}, tmp_path / "w.pth")
    message = told(spec(loader="module:tasks.models.cifar_resnet", weights=path))
    assert "write module:PACKAGE.MODULE:FACTORY" in message
    assert "model m" in message


def test_arguments_that_the_factory_does_not_know(tmp_path: Path) -> None:
    path = saved({}, tmp_path / "w.pth")
    assert "unexpected keyword argument 'dept'" in told(spec(weights=path, arguments={"dept": 8}))
