import pytest
from pydantic import ValidationError

from tasks.gates.bands import BandName, Bands

TEXTBOOK = Bands(fair=0.7, good=0.85, strong=0.95)


@pytest.mark.parametrize(
    ("share", "name"),
    [(0.0, "bad"), (0.699, "bad"), (0.7, "fair"), (0.85, "good"), (0.95, "strong"), (1, "strong")],
)
def test_a_share_has_a_name(share: float, name: BandName) -> None:
    assert TEXTBOOK.name(share) == name


def test_without_a_lowest_band_nothing_is_called_bad() -> None:
    assert Bands(good=0.9).name(0.89) == "below good"
    assert Bands(strong=0.9).name(0.5) == "below strong"


def test_the_sentence_tells_over_which_bands_the_interval_reaches() -> None:
    assert TEXTBOOK.sentence(0.9, (0.88, 0.92)) == "That is good."
    assert TEXTBOOK.sentence(0.9, (0.69, 0.97)) == (
        "That is good; the interval reaches from bad to strong."
    )
    assert TEXTBOOK.sentence(0.9, None) == "That is good."


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        ({}, "need one of"),
        ({"good": 0.7, "strong": 0.7}, "must rise"),
        ({"fair": 0.9, "good": 0.8}, "must rise"),
        ({"good": 1.5}, "less than or equal to 1"),
        ({"poor": 0.1}, "poor"),
    ],
)
def test_what_are_no_bands_is_refused(entry: dict, fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        Bands(**entry)
