import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tasks.models.batching import BATCH_SIZES, BatchLimit, batch_size_for, is_out_of_memory


@pytest.mark.parametrize(
    ("wanted", "shard", "size"),
    [(64, 1000, 63), (None, 1000, 32), (512, 333, 333), (1, 1000, 1), (64, 0, 1), (64, 65, 33)],
)
def test_batches_of_a_shard_are_even(wanted: int | None, shard: int, size: int) -> None:
    assert batch_size_for(wanted, "cpu", shard) == size


@given(st.integers(1, 600), st.integers(1, 3000))
def test_no_batch_is_larger_than_wanted_nor_are_there_more(wanted: int, shard: int) -> None:
    size = batch_size_for(wanted, "cuda", shard)
    assert size <= wanted
    assert -(-shard // size) == -(-shard // wanted)


def test_the_device_has_a_say_of_its_own() -> None:
    assert batch_size_for(None, "cuda", 10**6) <= BATCH_SIZES["cuda"]


def test_a_limit_falls_once_however_many_lanes_meet_it() -> None:
    limit = BatchLimit()
    assert limit.fit(64) == 64
    limit.halve(64, "m")
    limit.halve(64, "m")
    assert limit.fit(64) == 32
    assert limit.fit(16) == 16
    assert len(limit.news()) == 1
    assert limit.news() == ()


@pytest.mark.parametrize(
    ("error", "means_it"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you"), True),
        (MemoryError(), True),
        (RuntimeError("shape mismatch"), False),
        (ValueError("can't allocate memory"), False),
    ],
)
def test_what_means_out_of_memory(error: Exception, means_it: bool) -> None:
    assert is_out_of_memory(error) is means_it


def test_torch_says_it_in_these_words() -> None:
    with pytest.raises(RuntimeError) as refused:
        torch.empty(2**50, dtype=torch.uint8)
    assert is_out_of_memory(refused.value)
