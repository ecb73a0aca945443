import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.models.cost import NOTHING, Cost, Stopwatch, layers

SECONDS = st.floats(0, 100).map(lambda x: round(x * 8) / 8)
COSTS = st.builds(Cost, images=st.integers(0, 9), read=SECONDS, forward=SECONDS, wall=SECONDS)


@given(COSTS, COSTS, COSTS)
def test_costs_add_in_any_order(one: Cost, two: Cost, three: Cost) -> None:
    assert one + two + three == three + (two + one)
    assert one + NOTHING == one


def test_a_stage_is_counted_whatever_comes_of_it() -> None:
    watch = Stopwatch()
    with pytest.raises(ValueError, match="torn"), watch.timed("decode"):
        raise ValueError("torn")
    watch.count("read", 2.0)
    watch.count("read", 1.5)
    cost = watch.cost(7)
    assert cost.decode > 0
    assert (cost.images, cost.read, cost.forward) == (7, 3.5, 0.0)


def test_layers_of_two_lanes_in_one_slot() -> None:
    cost = Cost(
        images=10, read=0.5, decode=1, preprocess=1, forward=12, rank=0.5,
        wall=8, capacity=16, task=9.5, write=0.5,
    )  # fmt: skip
    found = {layer.name: layer.seconds for layer in layers(cost, wall=10, slots=1)}
    assert found == {
        "Prefect, and slots without a task": 0.5,
        "start, load and hand over": 1.0,
        "read": 0.25,
        "decode": 0.5,
        "preprocess": 0.5,
        "forward": 6.0,
        "top-k and rows": 0.25,
        "lanes without a batch": 0.5,
        "write": 0.5,
    }
    assert sum(found.values()) == 10
    shares = [layer.share for layer in layers(cost, 10, 1)]
    assert sum(share for share in shares if share is not None) == pytest.approx(1)


def test_nothing_done_has_no_share() -> None:
    assert {layer.share for layer in layers(NOTHING, 0, 0)} == {None}


def test_a_stage_inside_another_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 1.0, 3.0, 4.0, 6.0, 7.0, 8.0, 9.0])
    monkeypatch.setattr("tasks.models.cost.perf_counter", lambda: next(clock))
    watch = Stopwatch()
    with watch.timed("forward"):
        with watch.timed("rank"):
            pass
        with watch.timed("rank"):
            pass
    with watch.timed("decode"):
        pass
    cost = watch.cost(1)
    assert (cost.forward, cost.rank, cost.decode) == (3, 4, 1)
