"""Lines of some pixels."""

from tasks.report.history import Point
from tasks.report.sparks import HEIGHT, spark


def point(value: float | None, quick: int | None = None) -> Point:
    return Point("n", value, None, None, 10, "defined", None, None, None, quick)


def test_a_line_tells_its_ends_in_words() -> None:
    line = spark((point(1.0), point(None), point(0.1, quick=2), point(0.0)))
    assert line is not None
    assert line.words == "100.0 % to 0.0 % in 2 nights"
    assert line.change == -1
    tops = [float(place.split(",")[1]) for place in line.points.split()]
    assert tops == [2.5, HEIGHT - 2.5]


def test_one_night_is_no_line() -> None:
    assert spark((point(0.5), point(None))) is None
