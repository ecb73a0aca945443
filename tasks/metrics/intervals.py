"""Confidence intervals. Every function returns ``(low, high)`` at the given confidence."""

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

Interval = tuple[float, float]

CONFIDENCE = 0.95
REPLICATES = 1_000
SEED = 20_261_123


@cache
def _quantile(confidence: float) -> float:
    """How many standard errors reach to either side of a normal estimate."""
    return float(stats.norm.isf((1 - confidence) / 2))


def wilson(hits: float, n: float, confidence: float = CONFIDENCE) -> Interval:
    """The score interval for a proportion ``hits / n``. Source: Wilson (1927), JASA 22, 209-212.

    Neither needs to be whole: n may be an effective sample size.

    Raises:
        ValueError: n is not positive, or hits is not between 0 and n.
    """
    if n <= 0 or not 0 <= hits <= n:
        raise ValueError(f"{hits} hits of {n} are no proportion")
    z = _quantile(confidence)
    centre = (hits + z * z / 2) / (n + z * z)
    reach = z / (n + z * z) * math.sqrt(hits * (n - hits) / n + z * z / 4)
    # At the ends the formula gives exactly 0 and 1; rounding must not move it past them.
    low = 0.0 if hits == 0 else max(centre - reach, 0.0)
    high = 1.0 if hits == n else min(centre + reach, 1.0)
    return low, high


def f1_interval(hits: int, union: int, confidence: float = CONFIDENCE) -> Interval:
    """The interval of F1 = 2J/(1+J), with J = hits/union the Jaccard index of a class.

    ``union`` counts the samples that are of the class or predicted as it. Under multinomial
    sampling the hits among them are binomial, so Wilson's interval holds for J; F1 rises with J.
    """
    low, high = wilson(hits, union, confidence)
    return 2 * low / (1 + low), 2 * high / (1 + high)


def mean_interval(
    total: float, total_of_squares: float, n: int, confidence: float = CONFIDENCE
) -> Interval:
    """Student's interval for a mean from sums of n values and of their squares; n of at least 2."""
    if n < 2:
        raise ValueError(f"no interval for the mean of {n} values")
    mean = total / n
    variance = max(total_of_squares - n * mean * mean, 0.0) / (n - 1)
    reach = float(stats.t.isf((1 - confidence) / 2, n - 1)) * math.sqrt(variance / n)
    return mean - reach, mean + reach


def auroc_variance(value: float, positives: int, negatives: int) -> tuple[float, float]:
    """The variance of an area under the ROC curve: what positives, and what negatives add to it.

    Source: Hanley and McNeil (1982), Radiology 143, 29-36, for exponential scores.
    """
    pairs = positives * negatives
    of_positives = 2 * value**2 / (1 + value) - value**2
    of_negatives = value / (2 - value) - value**2
    own = value * (1 - value) / pairs + (negatives - 1) * of_positives / pairs
    return own, (positives - 1) * of_negatives / pairs


def auroc_interval(
    value: float, positives: int, negatives: int, confidence: float = CONFIDENCE
) -> Interval:
    """The areas under the ROC curve that are not refuted by the one seen, as Wilson's for a share.

    All t with |value - t| <= z * sqrt(variance at t). Source: Newcombe (2006), Statistics in
    Medicine 25, 559-573, for the score-like form, which has width at 0 and 1 too. The variance is
    the larger of Hanley and McNeil's, with the scores as they are and with both sides exchanged:
    theirs takes one side to be spread more widely.
    """
    z = _quantile(confidence)

    def refuted(area: float) -> float:
        ways = (positives, negatives), (negatives, positives)
        variance = max(sum(auroc_variance(area, *way)) for way in ways)
        return abs(value - area) - z * math.sqrt(variance)

    def end(limit: float) -> float:
        # At 0 and 1 the variance is 0, which would count as an end of its own.
        near = value + math.copysign(min(1e-9, abs(limit - value)), limit - value)
        if refuted(limit) <= 0 or refuted(near) >= 0:
            return limit if refuted(limit) <= 0 else value
        return float(optimize.brentq(refuted, min(limit, near), max(limit, near)))

    return end(0.0), end(1.0)


def centred_percentiles(
    point: float,
    replicates: NDArray[np.float64],
    confidence: float = CONFIDENCE,
    limits: Interval = (0.0, 1.0),
) -> Interval:
    """Bootstrap percentiles, moved so that their mean lies on the point, within ``limits``.

    The move removes the bias that resampling brings into averages over many small classes.
    """
    tail = (1 - confidence) / 2
    low, high = np.quantile(replicates, [tail, 1 - tail]) - replicates.mean() + point
    return max(float(min(low, point)), limits[0]), min(float(max(high, point)), limits[1])
