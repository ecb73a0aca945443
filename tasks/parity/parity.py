"""Hits of every variant → which is proven to feed the model better than the configured one.

Trying thirty variants and taking the best finds a better one by luck. So each is compared with the
configured way image by image, and the p-values are corrected for how many were tried.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.metrics.intervals import Interval
from tasks.metrics.paired import Fourfold, mcnemar, paired_interval
from tasks.parity.variants import Variant

ERROR_RATE = 0.05
"""How often, over the whole check, a variant may be called better that is none."""


@dataclass(frozen=True)
class Trial:
    """A variant that was run.

    Attributes:
        hits: bool [n], whether the first prediction was right, in the order of the images.
        loss: mean of −ln(probability of the target); it only orders variants of equal hits.
        fault: why it could not be run; then there are no hits.
    """

    variant: Variant
    hits: NDArray[np.bool_]
    loss: float = math.inf
    fault: str | None = None

    @property
    def right(self) -> int:
        return int(self.hits.sum())

    @property
    def rank(self) -> tuple[int, float]:
        """Sorts the best first."""
        return -self.right, self.loss


@dataclass(frozen=True)
class Rival:
    """A variant beside the configured one.

    Attributes:
        table: the configured way is its baseline.
        interval: of the difference in shares; all of a check hold together with 95 %.
        p: exact McNemar, corrected for all that was or could have been tried.
    """

    trial: Trial
    table: Fourfold
    interval: Interval
    p: float

    @property
    def is_better(self) -> bool:
        return self.table.fixed > self.table.broken and self.p < ERROR_RATE

    @property
    def is_worse(self) -> bool:
        return self.table.fixed < self.table.broken and self.p < ERROR_RATE


@dataclass(frozen=True)
class Parity:
    """A check: the configured way and its rivals, the best first."""

    base: Trial
    rivals: tuple[Rival, ...]
    faults: tuple[Trial, ...]

    @property
    def n(self) -> int:
        return len(self.base.hits)

    @property
    def better(self) -> tuple[Rival, ...]:
        """Rivals that are proven better, the best first."""
        return tuple(rival for rival in self.rivals if rival.is_better)


def helpful(base: Trial, singles: Sequence[Trial]) -> list[Variant]:
    """Of every factor the change with the most hits, where it has more than none has."""
    best: dict[str, Trial] = {}
    for trial in singles:
        factor = trial.variant.factor
        if trial.fault is None and trial.right > base.right:
            best[factor] = min(best.get(factor, trial), trial, key=lambda one: one.rank)
    return [trial.variant for trial in best.values()]


def judge(base: Trial, singles: Sequence[Trial], together: Trial | None = None) -> Parity:
    """Compare every trial with ``base``, over the same images.

    ``together`` was chosen after the single changes were seen; it is held to the number of all
    combinations that it could have become (Bonferroni). Then Holm's procedure runs over all.
    Source: Holm (1979), Scandinavian Journal of Statistics 6, 65-70.
    """
    ran = [trial for trial in singles if trial.fault is None]
    p_values = [_p(base, trial) for trial in ran]
    if together is not None and together.fault is None:
        ran.append(together)
        p_values.append(min(_p(base, together) * _combinations(singles), 1.0))
    confidence = 1 - ERROR_RATE / max(len(ran), 1)
    rivals = [
        Rival(trial, table, paired_interval(table.fixed, table.broken, table.n, confidence), p)
        for trial, p in zip(ran, holm(p_values), strict=True)
        for table in (_table(base, trial),)
    ]
    rivals.sort(key=lambda rival: rival.trial.rank)
    tried = [*singles, *([] if together is None else [together])]
    faults = tuple(trial for trial in tried if trial.fault is not None)
    return Parity(base, tuple(rivals), faults)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the order given: below a level together, they err at most so often."""
    count = len(p_values)
    adjusted = [1.0] * count
    largest = 0.0
    for rank, place in enumerate(sorted(range(count), key=p_values.__getitem__)):
        largest = max(largest, min((count - rank) * p_values[place], 1.0))
        adjusted[place] = largest
    return adjusted


def _combinations(singles: Sequence[Trial]) -> int:
    choices: defaultdict[str, int] = defaultdict(lambda: 1)
    for trial in singles:
        choices[trial.variant.factor] += 1
    return math.prod(choices.values())


def _table(base: Trial, trial: Trial) -> Fourfold:
    ours, theirs = base.hits, trial.hits
    return Fourfold(
        both_right=int((ours & theirs).sum()),
        fixed=int((~ours & theirs).sum()),
        broken=int((ours & ~theirs).sum()),
        both_wrong=int((~ours & ~theirs).sum()),
    )


def _p(base: Trial, trial: Trial) -> float:
    table = _table(base, trial)
    return mcnemar(table.fixed, table.broken)
