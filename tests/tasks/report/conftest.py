"""Nights with every state in them."""

import pytest

from tasks.night import Outcome
from tasks.records import Pair
from tests.tasks.report.nights import (
    MISSING,
    NAMES,
    NightCase,
    cifar,
    judged,
    make_night,
    make_scoring,
)


@pytest.fixture(scope="session")
def case() -> NightCase:
    """Pairs that passed, failed, stayed inconclusive, incomplete and unusable."""
    photos = Pair(dataset="photos", split="val", model="broad")
    scorings = (
        make_scoring(cifar("good"), NAMES, n=2_000, skill=4.5),
        make_scoring(cifar("bad"), NAMES, n=2_000, skill=1.5, failed=12, unlabelled=5),
        make_scoring(photos, NAMES, n=40, skill=2.5, present=9),
    )
    outcomes = (
        *(judged(scoring) for scoring in scorings),
        Outcome(pair=cifar("cut"), state="incomplete", message="2 of 4 shards are missing"),
        Outcome(pair=cifar("lost"), state="unusable", message=MISSING),
    )
    return NightCase(make_night(outcomes), {str(s.pair): s for s in scorings})


@pytest.fixture(scope="session")
def thousand() -> NightCase:
    """A dataset of 1,000 classes of which 20 have samples, and two share a name."""
    names = ("crane", "crane", *(f"class number {index}" for index in range(2, 1_000)))
    pair = Pair(dataset="imagenet", split="val", model="wide")
    scoring = make_scoring(pair, names, n=40, skill=6.0, present=20)
    return NightCase(make_night((judged(scoring),)), {str(pair): scoring})
