"""Contestants that take turns, so that what else the machine does meets all of them alike."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Lap:
    """What one turn did.

    Attributes:
        images: how many went all the way.
        begun: ``perf_counter`` when processes were started and networks loaded, where the turn did
            that itself.
    """

    images: int
    begun: float | None = None


Contestant = Callable[[], Lap]


@dataclass(frozen=True)
class Rates:
    """Images per second.

    Attributes:
        whole: median of the warm laps, from start to end.
        begun: the same without start-up.
        best: of the warm laps, without start-up: what other work on the machine disturbed least.
        cold: seconds of the first lap, which loads, compiles and fills caches.
    """

    whole: float
    begun: float
    best: float
    cold: float


def measured(
    contestants: dict[str, Contestant], seldom: dict[str, Contestant], rounds: int
) -> dict[str, Rates]:
    """Rates of ``rounds`` rounds after a cold one; the ``seldom`` ones take part in one of them."""
    laps: dict[str, list[_Timed]] = {name: [] for name in contestants | seldom}
    for turn in range(rounds + 1):
        for name, run in (contestants | (seldom if turn < 2 else {})).items():
            started = time.perf_counter()
            lap = run()
            ended = time.perf_counter()
            begun = started if lap.begun is None else lap.begun
            laps[name].append(_Timed(lap.images, ended - started, ended - begun))
            print(f"  round {turn}: {name:34s} {ended - started:7.1f} s", flush=True)
    return {name: _rates(found) for name, found in laps.items()}


@dataclass(frozen=True)
class _Timed:
    images: int
    whole: float
    begun: float


def _rates(laps: list[_Timed]) -> Rates:
    cold, *warm = laps
    begun = [lap.images / lap.begun for lap in warm]
    return Rates(
        whole=statistics.median(lap.images / lap.whole for lap in warm),
        begun=statistics.median(begun),
        best=max(begun),
        cold=cold.whole,
    )
