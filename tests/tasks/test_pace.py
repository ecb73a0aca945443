from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.pace import LINE_SECONDS, LINES, SILENT_SECONDS, Pace, about
from tasks.progress import Advance, Outline


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def advance(images: int = 100) -> Advance:
    return Advance("infer", shards=1, images=images)


def test_the_first_shard_also_starts_the_engines_and_is_left_out_of_the_estimate() -> None:
    clock = Clock()
    pace = Pace(Outline("infer", shards=10, reused=2), clock)
    assert pace.words() == "2 of 10 shards"
    clock.now += 60  # most of it the start
    pace.advance(advance())
    assert pace.seconds_left is None
    assert pace.words() == "3 of 10 shards, 1.7 images/s"
    for _ in range(2):
        clock.now += 5
        pace.advance(advance())
    assert pace.seconds_left == pytest.approx(25)  # five left, of five seconds each
    assert pace.images_per_second == pytest.approx(300 / 70)
    noon = datetime(2026, 11, 25, 23, 59, 50, tzinfo=UTC)
    assert pace.words(noon) == ("5 of 10 shards, 4.3 images/s, about 25 s left (until 00:00 UTC)")
    for _ in range(5):
        clock.now += 5
        pace.advance(advance(100_000))
    assert pace.is_done
    assert pace.percent == 100
    assert pace.words() == "10 of 10 shards, 5,266 images/s"


@given(
    shards=st.integers(1, 3_000),
    steps=st.lists(st.floats(0.0, 400.0), min_size=1, max_size=300),
)
def test_a_log_gets_few_lines_and_the_last_one(shards: int, steps: list[float]) -> None:
    clock = Clock()
    steps = steps[:shards]
    pace = Pace(Outline("infer", shards=shards, reused=shards - len(steps)), clock)
    lines: list[float] = []
    for step in steps:
        clock.now += step
        pace.advance(advance())
        if pace.line_is_due():
            lines.append(clock.now)
        assert not pace.line_is_due(), "once"
    if shards >= LINES and len(steps) * LINES >= shards:
        assert lines[-1] == clock.now, "the last one says that it is done"
    between = [later - earlier for earlier, later in zip([100.0, *lines], lines[:-1], strict=False)]
    assert all(gap >= LINE_SECONDS for gap in between)
    assert len(lines) <= LINES + 1 + sum(steps) / SILENT_SECONDS


def test_a_slow_piece_of_work_is_heard_of() -> None:
    clock = Clock()
    pace = Pace(Outline("infer", shards=1_000, reused=0), clock)
    heard = 0
    for _ in range(90):  # less than a tenth in three hours
        clock.now += 120
        pace.advance(advance())
        heard += pace.line_is_due()
    assert heard == 90 * 120 // SILENT_SECONDS


def test_what_another_run_did_is_done_and_not_computed() -> None:
    pace = Pace(Outline("infer", shards=4, reused=1))
    pace.advance(Advance("infer", shards=2, images=0, elsewhere=True))
    pace.advance(advance())
    assert (pace.done, pace.computed, pace.images) == (4, 1, 100)


def test_nothing_to_do_is_done() -> None:
    assert Pace(Outline("infer", shards=0, reused=0)).percent == 100


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "about 5 s"),
        (42, "about 40 s"),
        (56, "about 1 min"),
        (3_500, "about 58 min"),
        (3_580, "about 1 h 00 min"),
        (7_700, "about 2 h 10 min"),
    ],
)
def test_spans_are_rough(seconds: float, text: str) -> None:
    assert about(seconds) == text
