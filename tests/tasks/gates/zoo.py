"""Ten animals of which one is hard: scorings to be judged, and gates on them."""

import functools

import numpy as np

from shards.sample import ClassList
from tasks.gates.gate import Gate
from tasks.metrics.scoring import Scoring
from tests.tasks.metrics.made_by_hand import scoring_of, tallies_of

NAMES = ("cat", "dog", "otter", "crane", "fox", "hare", "mole", "seal", "swan", "crane")
IDS = tuple(f"n{i:02}" for i in range(10))
ZOO = ClassList(names=NAMES, ids=IDS)
OTTER = 2


def zoo(hits: int = 6, of: int = 50) -> Scoring:
    """Ten classes of 250 images, all right, but otters: taken for seals unless they are hits."""
    counts = np.diag([250] * 10)
    counts[OTTER] = 0
    counts[OTTER, OTTER], counts[OTTER, 7] = hits, of - hits
    return scoring_of(tallies_of(counts), ZOO)


def counted(hits: int, n: int) -> Scoring:
    """One class of which ``hits`` of n are right."""
    return scoring_of(tallies_of(np.array([[hits, n - hits], [0, 0]])))


def of_each_class(floor: float = 0.5, **more) -> Gate:
    return Gate(metric="recall", scope="each_class", min=floor, **more)


def of_otters(floor: float = 0.5, **more) -> Gate:
    return Gate(metric="recall", classes=("otter",), min=floor, **more)


@functools.cache
def imagenet_like() -> Scoring:
    """1,000 classes of 50 images; in truth every recall is at least 0.5, and 0.7 on average."""
    generator = np.random.default_rng(11)
    hits = generator.binomial(50, generator.uniform(0.5, 0.9, 1_000))
    counts = np.diag(hits)
    counts[np.arange(1_000), (np.arange(1_000) + 1) % 1_000] = 50 - hits
    return scoring_of(tallies_of(counts))


@functools.cache
def otter_of_1000(hits: int) -> Scoring:
    """1,000 classes of 50 images, all right, but those of class 360."""
    counts = np.diag([50] * 1_000)
    counts[360, 360], counts[360, 361] = hits, 50 - hits
    return scoring_of(tallies_of(counts))


@functools.cache
def imagenet_with_otters() -> Scoring:
    """1,000 classes of 50 images, 49 of each right, but of class 360 only 6."""
    hits = np.full(1_000, 49)
    hits[360] = 6
    counts = np.diag(hits)
    counts[np.arange(1_000), (np.arange(1_000) + 1) % 1_000] = 50 - hits
    return scoring_of(tallies_of(counts))
