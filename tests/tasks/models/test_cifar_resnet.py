import pytest
import torch

from tasks.models.cifar_resnet import cifar_resnet
from tests.support.shared_data import needs_shared
from tests.tasks.models.cifar import WEIGHTS

COUNTER = "num_batches_tracked"


@needs_shared
@pytest.mark.parametrize("depth", [20, 56])
def test_parameters_are_those_of_the_published_networks(depth: int) -> None:
    listed = (WEIGHTS / f"cifar10_resnet{depth}.params.txt").read_text().splitlines()
    ours = [
        f"{name}\t{str(tensor.dtype).removeprefix('torch.')}\t{tuple(tensor.shape)}"
        for name, tensor in cifar_resnet(depth).state_dict().items()
        if not name.endswith(COUNTER)
    ]
    assert ours == [line for line in listed if COUNTER not in line and not line.startswith("#")]


# Table 6 of He et al. (2016): 0.27, 0.46, 0.66, 0.85 and 1.7 million parameters.
@pytest.mark.parametrize(
    ("depth", "millions"), [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85), (110, 1.7)]
)
def test_sizes_are_those_of_the_paper(depth: int, millions: float) -> None:
    size = sum(p.numel() for p in cifar_resnet(depth).parameters()) / 1e6
    assert size == pytest.approx(millions, rel=0.03)


@pytest.mark.parametrize("depth", [9, 2, 0, -4, 18, 48])
def test_other_depths_are_refused(depth: int) -> None:
    with pytest.raises(ValueError, match=f"depth {depth}: a CIFAR ResNet has 6n\\+2 layers"):
        cifar_resnet(depth)


def test_shapes_of_the_output() -> None:
    network = cifar_resnet(8, classes=7).eval()
    with torch.inference_mode():
        assert network(torch.zeros(3, 3, 32, 32)).shape == (3, 7)
        assert network(torch.zeros(0, 3, 32, 32)).shape == (0, 7)


def test_the_shortcut_takes_every_second_pixel_and_pads_channels_evenly() -> None:
    block = cifar_resnet(8).layer2[0].eval()
    torch.nn.init.zeros_(block.bn2.weight)
    images = torch.rand(1, 16, 32, 32)
    with torch.inference_mode():
        found = block(images)
    assert found.shape == (1, 32, 16, 16)
    torch.testing.assert_close(found[:, 8:24], images[:, :, ::2, ::2], rtol=0, atol=0)
    assert not found[:, :8].any()
    assert not found[:, 24:].any()
