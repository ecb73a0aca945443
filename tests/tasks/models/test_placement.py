import pytest
import torch
from torch import Tensor

from tasks.models.placement import CpuPlacement, CudaPlacement, placement_on
from tasks.models.spec import Numerics
from tests.support.shared_data import needs_shared

NO_GPU = "no CUDA device on this machine"


def flattened(batch: Tensor) -> Tensor:
    return batch.double().flatten(1)[:, :5]


def test_on_the_cpu_a_batch_stays_where_it_is() -> None:
    placement = placement_on(torch.device("cpu"))
    assert isinstance(placement, CpuPlacement)
    batch = torch.arange(24, dtype=torch.uint8).reshape(2, 3, 2, 2)
    found = placement.run(batch, lambda given: flattened(given) if given is batch else batch)
    assert found.dtype == torch.float32
    assert torch.equal(found.double(), flattened(batch))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason=NO_GPU)
def test_scores_come_back_from_the_device() -> None:
    placement = placement_on(torch.device("cuda:0"))
    assert isinstance(placement, CudaPlacement)
    batch = torch.arange(24, dtype=torch.uint8).reshape(2, 3, 2, 2)
    found = placement.run(batch, flattened)
    assert found.device.type == "cpu"
    assert torch.equal(found.double(), flattened(batch))


@pytest.mark.gpu
@needs_shared
@pytest.mark.skipif(not torch.cuda.is_available(), reason=NO_GPU)
def test_the_reference_counts_hold_on_the_device() -> None:
    from tasks.models.engine import Engine
    from tests.tasks.models.cifar import first_images, resnet

    numerics = Numerics(precision="float32", decoder="pil", device_type="cuda")
    rows = Engine.load(resnet(), numerics, "cuda:0").predict(first_images(1000), 10, 256, 4)
    ranks = rows.predictions["target_rank"].to_numpy()
    assert ((ranks == 0).sum(), (ranks < 5).sum()) == (808, 990)
