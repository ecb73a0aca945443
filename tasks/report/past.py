"""What became of a sample over the nights, in words: wrong since, right since, flapping."""

from collections.abc import Sequence
from itertools import pairwise

from tasks.layout import night_started
from tasks.report.words import day_text

Seen = tuple[str, bool]
"""A night by its name, and whether the sample was right in it."""


def past_words(seen: Sequence[Seen]) -> str:
    """``wrong since 23 November``; nothing where there is only one night to tell of.

    Args:
        seen: the nights that predicted the sample, oldest first, the night itself last.
    """
    if len(seen) < 2:
        return ""
    now = seen[-1][1]
    word = "right" if now else "wrong"
    turns = [later for (_, before), later in pairwise(seen) if before != later[1]]
    if not turns:
        return f"{word} in all {len(seen)} nights"
    if len(turns) == 1:
        return f"{word} since {day_text(night_started(turns[0][0]))}"
    right = sum(was_right for _, was_right in seen)
    return f"flapping: right in {right} of {len(seen)} nights"
