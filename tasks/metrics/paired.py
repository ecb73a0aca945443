"""Two models on the same images: what their disagreement proves. Plain numbers, no rows.

``fixed`` counts the images that only the candidate has right, ``broken`` those that only the
baseline has right; a difference is candidate − baseline, in shares (0.01 = one point).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from tasks.metrics.intervals import CONFIDENCE, Interval, wilson


@dataclass(frozen=True, slots=True)
class Fourfold:
    """Images by who has them right; rows of the paired fourfold table."""

    both_right: int
    fixed: int
    broken: int
    both_wrong: int

    def __post_init__(self) -> None:
        if min(self.both_right, self.fixed, self.broken, self.both_wrong) < 0:
            raise ValueError(f"negative counts: {self}")

    @property
    def n(self) -> int:
        return self.both_right + self.fixed + self.broken + self.both_wrong

    @property
    def difference(self) -> float | None:
        """Accuracy of the candidate − that of the baseline; None without images."""
        return (self.fixed - self.broken) / self.n if self.n else None


def mcnemar(fixed: int, broken: int) -> float:
    """The exact two-sided p-value that two models are equally often right.

    Of the images on which they disagree each is as likely fixed as broken: a binomial test at ½.
    Without a disagreement it is 1. Source: McNemar (1947), Psychometrika 12, 153-157.
    """
    return float(mcnemar_each(np.array([fixed]), np.array([broken]))[0])


def mcnemar_each(fixed: NDArray[np.int64], broken: NDArray[np.int64]) -> NDArray[np.float64]:
    """``mcnemar`` for each of many classes, [classes]."""
    lower = np.minimum(fixed, broken)
    exact: NDArray[np.float64] = np.minimum(2 * stats.binom.cdf(lower, fixed + broken, 0.5), 1.0)
    return exact


def mcnemar_chi_squared(fixed: int, broken: int) -> float | None:
    """The statistic with continuity correction, one degree of freedom; None where none disagree.

    Only to compare with other tools: the exact test decides. Source: Edwards (1948),
    Psychometrika 13, 185-187.
    """
    if fixed + broken == 0:
        return None
    return max(abs(fixed - broken) - 1, 0) ** 2 / (fixed + broken)


def paired_interval(fixed: int, broken: int, n: int, confidence: float = CONFIDENCE) -> Interval:
    """Tango's score interval for the difference of two accuracies on the same n images.

    It never leaves −1 to 1 and holds for few disagreements, where ± z standard errors do not; for
    many it agrees with them. Source: Tango (1998), Statistics in Medicine 17, 891-908; recommended
    by Fagerland, Lydersen and Laake (2014), Statistics in Medicine 33, 2850-2875.

    Raises:
        ValueError: n is not positive, or more images changed than there are.
    """
    if n <= 0 or min(fixed, broken) < 0 or fixed + broken > n:
        raise ValueError(f"{fixed} fixed and {broken} broken of {n} images are no comparison")
    z = float(stats.norm.isf((1 - confidence) / 2))
    # The same bound from both sides, so that swapping the models changes nothing but the signs.
    return -_upper(broken, fixed, n, z), _upper(fixed, broken, n, z)


def _upper(gained: int, lost: int, n: int, z: float) -> float:
    """The largest difference that gained − lost of n does not contradict."""
    ends = ((gained - lost) / n, 1.0)
    if ends[0] == 1.0 or _score(gained, lost, n, 1 - 1e-12) + z > 0:
        return 1.0
    root = optimize.brentq(lambda delta: _score(gained, lost, n, delta) + z, *ends, xtol=1e-13)
    return float(root)


def _score(gained: int, lost: int, n: int, delta: float) -> float:
    """The score statistic of a difference ``delta``, with the share of losses most likely then."""
    if delta >= 1:
        return -math.inf
    linear = (2 * n - gained + lost) * delta - gained - lost
    # Rounding must not carry the square below 0, nor the share out of where shares are.
    square = max(linear * linear + 8 * n * lost * delta * (1 - delta), 0.0)
    losses = max((math.sqrt(square) - linear) / (4 * n), -delta, 0.0)
    variance = n * (2 * losses + delta * (1 - delta))
    surplus = gained - lost - n * delta
    if variance <= 0:
        return 0.0 if surplus == 0 else math.copysign(math.inf, surplus)
    return surplus / math.sqrt(variance)


def unpaired_interval(
    candidate: tuple[int, int], baseline: tuple[int, int], confidence: float = CONFIDENCE
) -> Interval:
    """The difference of two accuracies on different images, each (right, n), n of at least 1.

    Wilson's intervals, squared and added. Source: Newcombe (1998), Statistics in Medicine 17,
    873-890, method 10.
    """
    (hits, n), (their_hits, their_n) = candidate, baseline
    share, their_share = hits / n, their_hits / their_n
    low, high = wilson(hits, n, confidence)
    their_low, their_high = wilson(their_hits, their_n, confidence)
    difference = share - their_share
    return (
        difference - math.hypot(share - low, their_high - their_share),
        difference + math.hypot(high - share, their_share - their_low),
    )


def false_discovery(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """p-values adjusted so that of those called real at q, a share of at most q is not.

    Source: Benjamini and Hochberg (1995), Journal of the Royal Statistical Society B 57, 289-300.
    """
    if not len(p_values):
        return p_values
    adjusted: NDArray[np.float64] = stats.false_discovery_control(p_values, method="bh")
    return adjusted
