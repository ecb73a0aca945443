"""How work is cut into tasks."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect import flow, task

from flows.returned import kept, taken
from flows.runners import MAX_TASKS, TASK_SECONDS, gather, group_size, groups, threads
from tasks.deadline import DeadlineError, until


@pytest.mark.parametrize(
    ("wanted", "shards", "seconds", "workers", "expected"),
    [
        (7, 1000, 0.001, 1, 7),  # as the plan says
        ("auto", 1000, 0.5, 1, 20),  # ten seconds
        ("auto", 1000, 3.0, 1, 4),  # or a little more
        ("auto", 1000, 60.0, 8, 1),
        ("auto", 10, 0.5, 1, 10),  # less than ten seconds altogether
        ("auto", 10, 0.5, 4, 3),  # no worker stands idle
        ("auto", 2, 0.5, 4, 1),
        ("auto", 5, 0.0, 2, 3),  # images without pixels
    ],
)
def test_the_size_of_a_task(
    wanted: object, shards: int, seconds: float, workers: int, expected: int
) -> None:
    assert group_size(wanted, shards, seconds, workers) == expected  # type: ignore[arg-type]


@given(
    st.integers(1, 20_000),
    st.floats(1e-6, 1e4),
    st.integers(1, 64),
    st.just("auto") | st.integers(1, 50),
)
def test_all_shards_in_few_tasks_and_long_ones(
    shards: int, seconds: float, workers: int, wanted: object
) -> None:
    size = group_size(wanted, shards, seconds, workers)  # type: ignore[arg-type]
    cut = groups(range(shards), size)
    assert [shard for group in cut for shard in group] == list(range(shards))
    assert len(cut) <= MAX_TASKS
    if wanted == "auto":
        assert len(cut) >= min(workers, shards) / 2 or len(cut[0]) * seconds <= 2 * TASK_SECONDS
        long_enough = all(len(group) * seconds >= TASK_SECONDS for group in cut[:-1])
        assert long_enough or size == -(-shards // workers)


def test_at_the_deadline_tasks_in_hand_are_finished_and_others_never_begin() -> None:
    begun: list[int] = []

    @task
    def work(number: int) -> int:
        begun.append(number)
        time.sleep(0.6)
        return number

    @flow(task_runner=threads(1))
    def working() -> tuple[list[int], list[Exception]]:
        with until(datetime.now(UTC) + timedelta(seconds=0.3)):
            return kept(gather([work.submit(number) for number in range(4)]))

    results, (error,) = taken(working(return_state=True), tuple)
    assert results == begun == [0]
    assert isinstance(error, DeadlineError)
    assert "3 of 4 tasks were not begun" in str(error)


def test_a_flow_may_cut_its_work_twice_and_has_fewer_than_500_task_runs() -> None:
    others = 20  # aggregate, judge and their like, once or twice each
    assert 2 * MAX_TASKS + others <= 500
