"""What became of a sample, in words."""

from datetime import timedelta

import pytest

from tasks.layout import night_name
from tasks.report.past import past_words
from tests.support.stored import EPOCH


@pytest.mark.parametrize(
    ("rights", "words"),
    [
        ("", ""),
        ("w", ""),
        ("rrw", "wrong since 22 November"),
        ("rw", "wrong since 21 November"),
        ("wwr", "right since 22 November"),
        ("www", "wrong in all 3 nights"),
        ("rr", "right in all 2 nights"),
        ("rwrw", "flapping: right in 2 of 4 nights"),
        ("wrw", "flapping: right in 1 of 3 nights"),
    ],
)
def test_words(rights: str, words: str) -> None:
    nights = [night_name(EPOCH + timedelta(days=day), "n") for day in range(len(rights))]
    assert (
        past_words([(night, one == "r") for night, one in zip(nights, rights, strict=True)])
        == words
    )
