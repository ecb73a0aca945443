import threading
from collections.abc import Iterator
from time import sleep

import pytest
import torch

from shards.reader import StoredSample
from tasks.models.batching import MOST_LANES
from tasks.models.lanes import READY_BATCHES, Lanes, Stream


def samples(count: int, name: str = "image") -> list[StoredSample]:
    return [StoredSample(f"{name}_{i:03d}", i, b"", None) for i in range(count)]


def keys(batch: list[StoredSample], seconds: float) -> list[str]:
    assert seconds >= 0
    # The first batch is the slowest, and must still come out first.
    sleep(0.05 if batch and batch[0].index == 0 else 0)
    return [sample.key for sample in batch]


@pytest.fixture
def lanes() -> Iterator[Lanes]:
    made = Lanes(2)
    yield made
    made.close()


@pytest.mark.parametrize(("count", "sizes"), [(0, [0]), (1, [1]), (8, [4, 4]), (9, [4, 4, 1])])
def test_batches_come_out_in_order(lanes: Lanes, count: int, sizes: list[int]) -> None:
    found = list(Stream(samples(count), 4, lanes, keys).results())
    assert [len(batch) for batch in found] == sizes
    assert [key for batch in found for key in batch] == [s.key for s in samples(count)]


def test_cores_are_shared_among_the_lanes() -> None:
    assert [(Lanes(n).count, Lanes(n).threads_each) for n in (1, 2, MOST_LANES, 64)] == [
        *((1, 1), (2, 1), (MOST_LANES, 1), (MOST_LANES, 64 // MOST_LANES)),
    ]
    lanes = Lanes(2)
    inside = Stream(samples(1), 1, lanes, lambda *_: torch.get_num_threads())
    assert list(inside.results()) == [1]
    lanes.close()


def test_reading_is_never_far_ahead(lanes: Lanes) -> None:
    gate = threading.Event()
    read: list[int] = []

    def slowly() -> Iterator[StoredSample]:
        for sample in samples(50):
            read.append(sample.index)
            yield sample

    def work(batch: list[StoredSample], _: float) -> int:
        gate.wait(10)
        return len(batch)

    stream = Stream(slowly(), 1, lanes, work)
    sleep(0.2)
    # One more is read and waits for room.
    assert len(read) == lanes.count + READY_BATCHES + 1
    gate.set()
    assert sum(stream.results()) == 50


def test_the_next_shard_is_under_way_before_this_one_is_collected(lanes: Lanes) -> None:
    begun = threading.Event()

    def work(batch: list[StoredSample], _: float) -> str:
        if batch[0].key.startswith("next"):
            begun.set()
        return batch[0].key

    first = Stream(samples(3, "this"), 1, lanes, work)
    following = Stream(samples(3, "next"), 1, lanes, work, after=first)
    assert begun.wait(10)
    assert list(first.results()) == ["this_000", "this_001", "this_002"]
    assert list(following.results()) == ["next_000", "next_001", "next_002"]


def test_a_fault_in_a_lane_ends_the_stream_and_not_the_next(lanes: Lanes) -> None:
    done: list[str] = []

    def work(batch: list[StoredSample], _: float) -> None:
        if batch[0].key == "this_001":
            raise ValueError("NaN")
        done.append(batch[0].key)

    broken = Stream(samples(500, "this"), 1, lanes, work)
    following = Stream(samples(2, "next"), 1, lanes, work, after=broken)
    results = broken.results()
    next(results)
    with pytest.raises(ValueError, match="NaN"):
        next(results)
    assert len(list(following.results())) == 2
    assert len(done) < 500
    assert done[-2:] == ["next_000", "next_001"] or set(done[-2:]) == {"next_000", "next_001"}


def test_a_fault_in_reading_comes_after_the_batches_before_it(lanes: Lanes) -> None:
    def torn() -> Iterator[StoredSample]:
        yield from samples(2)
        raise OSError("torn")

    results = Stream(torn(), 2, lanes, keys).results()
    assert next(results) == ["image_000", "image_001"]
    with pytest.raises(OSError, match="torn"):
        next(results)


def test_a_closed_lane_is_told_to_who_waits() -> None:
    lanes = Lanes(1)
    lanes.close()
    with pytest.raises(RuntimeError, match="shutdown"):
        list(Stream(samples(3), 1, lanes, keys).results())
