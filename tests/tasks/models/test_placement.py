from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from shards.image import encode_png
from shards.reader import StoredSample
from tasks.models.engine import Engine
from tasks.models.placement import CpuPlacement, CudaPlacement, placement_on
from tasks.models.spec import Numerics
from tasks.models.tensors import TENSORS
from tasks.predictions.ranking import Ranked, rank
from tests.support.gpu import needs_gpu
from tests.support.shared_data import needs_shared
from tests.tasks.models.cifar import faulty, first_images, resnet
from tests.tasks.predictions.alike import assert_alike

CUDA = Numerics(precision="float32", decoder="pil", device_type="cuda")


BATCH = torch.arange(120, dtype=torch.uint8).reshape(5, 3, 2, 4)
TARGETS = torch.arange(-1, 4)


def ranked(batch: Tensor, targets: Tensor) -> Ranked:
    return rank(TENSORS, batch.float().flatten(1)[:, :7], targets, "logits")


def expected() -> Ranked:
    return ranked(BATCH, TARGETS).mapped(Tensor.numpy)


def test_on_the_cpu_a_batch_stays_where_it_is() -> None:
    placement = placement_on(torch.device("cpu"))
    assert isinstance(placement, CpuPlacement)
    given: list[Tensor] = []

    def work(batch: Tensor, targets: Tensor) -> Ranked:
        given.extend((batch, targets))
        return ranked(batch, targets)

    with placement.lane():
        assert_alike(placement.run(BATCH, TARGETS, work), expected())
    assert given[0] is BATCH
    assert given[1] is TARGETS


@needs_gpu
def test_what_was_ranked_comes_back_from_the_device() -> None:
    placement = placement_on(torch.device("cuda:0"))
    assert isinstance(placement, CudaPlacement)
    with placement.lane():
        assert_alike(placement.run(BATCH, TARGETS, ranked), expected())
        # What was decoded on the device stays there.
        assert_alike(placement.run(BATCH.to("cuda:0"), TARGETS, ranked), expected())


@needs_gpu
def test_a_lane_waits_for_the_device_once_per_batch(tmp_path: Path) -> None:
    """``Stream.synchronize`` is the one; whatever else waits is an error in this mode."""
    made = Engine.load(faulty("sound", tmp_path), CUDA, "cuda:0")
    samples = [
        StoredSample(str(key), key, encode_png(np.full((4, 4, 3), key, np.uint8)), target=key)
        for key in range(8)
    ]
    expected = made.predict(samples, 10, 4, threads=1).predictions
    torch.cuda.set_sync_debug_mode("error")
    try:
        found = made.predict(samples, 10, 4, threads=1).predictions
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert found.equals(expected)


@needs_gpu
@needs_shared
def test_the_reference_counts_hold_on_the_device() -> None:
    rows = Engine.load(resnet(), CUDA, "cuda:0").predict(first_images(1000), 10, 256, 4)
    ranks = rows.predictions["target_rank"].to_numpy()
    assert ((ranks == 0).sum(), (ranks < 5).sum()) == (808, 990)
