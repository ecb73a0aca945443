"""A quick look: a split judged by its first shards, where these are a fair sample of it."""

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from shards.errors import InputError
from shards.manifest import Manifest
from shards.order import OrderName
from shards.reader import ShardedSplit
from tasks.metrics.words import counted

UNFAIR_DEVIATIONS = 10.0
"""Standard deviations of the chi-squared statistic beyond which shards are no fair sample.

Whatever its distribution, it is beyond them by chance in fewer than one case of a hundred
(Chebyshev)."""


class QuickLook(BaseModel):
    """Which part of a split was judged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shards: int
    of_shards: int
    samples: int
    of_samples: int
    order: OrderName = Field(description="stratified: classes are spread evenly over the shards.")

    @property
    def sentence(self) -> str:
        part = (
            f"A quick look: judged on the first {self.shards:,} of "
            f"{counted(self.of_shards, 'shard')} ({self.samples:,} of {self.of_samples:,} images)"
        )
        if self.order == "stratified":
            return f"{part}, over which classes are spread evenly; never promoted."
        return (
            f"{part}, in the order of the source, so that they may be no fair sample (`order: "
            f"stratified` of the dataset makes them one); never promoted."
        )


def quick_look(
    split: ShardedSplit, count: int, order: OrderName
) -> tuple[ShardedSplit, QuickLook | None]:
    """The first ``count`` shards of a split; all of it, and None, where it has no more than these.

    Raises:
        InputError: the classes of these shards are not those of the split.
    """
    part = split.first(count)
    if part is split:
        return split, None
    if order == "source":
        _refuse_unfair(part.manifest, split.manifest, count)
    look = QuickLook(
        shards=len(part.manifest.shardlist),
        of_shards=len(split.manifest.shardlist),
        samples=part.manifest.samples,
        of_samples=split.manifest.samples,
        order=order,
    )
    return part, look


def unevenness(part: tuple[int, ...], whole: tuple[int, ...]) -> float:
    """How far the class counts of a part are from those of a random part, in deviations.

    Pearson's chi-squared statistic, corrected for drawing without replacement, less its mean, over
    its exact standard deviation under multinomial drawing (Haldane, "The exact value of the moments
    of the distribution of chi-squared", Biometrika 29, 1937). 0 where nothing can be uneven.
    """
    drawn, there = np.array(part, dtype=np.float64), np.array(whole, dtype=np.float64)
    drawn, there = drawn[there > 0], there[there > 0]
    n, total, classes = drawn.sum(), there.sum(), len(there)
    if n in (0, total) or classes < 2:
        return 0.0
    shares = there / total
    expected = n * shares
    statistic = ((drawn - expected) ** 2 / expected).sum() * (total - 1) / (total - n)
    spread = ((1 / shares).sum() - classes**2 - 2 * classes + 2) / n
    variance = 2 * (classes - 1) + spread
    return float((statistic - (classes - 1)) / np.sqrt(variance))


def _refuse_unfair(part: Manifest, whole: Manifest, count: int) -> None:
    if unevenness(part.class_counts, whole.class_counts) <= UNFAIR_DEVIATIONS:
        return
    present = sum(n > 0 for n in part.class_counts)
    of = sum(n > 0 for n in whole.class_counts)
    raise InputError(
        f"{whole.dataset}/{whole.split}: the first {counted(count, 'shard')} of "
        f"{len(whole.shardlist):,} are no fair sample: they hold {present:,} of {of:,} classes, in "
        f"other shares than the whole; set `order: stratified` of the dataset, which builds its "
        f"shards again, or judge all of it, without --quick"
    )
