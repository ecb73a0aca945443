"""Are two images the same shot? Their fine structure is laid one over the other and compared.

Two planes in a blue sky are alike at a glance; the edges of one shot agree to the pixel, and those
of two shots do not. So the band of structures of one to two pixels (a difference of Gaussians) is
registered by cross-correlation over small shifts, and correlated where both images overlap.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from tasks.health.signatures import SIDE

FINE, COARSE = 0.8, 2.0
"""Standard deviations of the Gaussians, in pixels of the small picture."""
REACH = 4
"""Largest shift, in pixels of 32."""
MARGIN = 5
"""So much is cut away for the second look, which no common frame can deceive."""
CELL = 6.0
"""Pixels of the band that count as one independent observation (its correlation area)."""
LEAST_SIMILARITY = 0.77
"""Correlation of the structure, over the whole overlap and inside the margin. Judged by eye on
CIFAR-10: of the hundred weakest pairs above it some five are two shots; below it horses that stand
alike come in."""
LEAST_EVIDENCE = 5.5
"""Fisher's z of that correlation. It spares pairs that agree because there is little to see: a ship
on the horizon correlates at 0.83 with another one."""
AT_A_TIME = 4_096
PADDED = SIDE + 2 * REACH

Bands = NDArray[np.float32]
Values = NDArray[np.float64]
Shifts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Registered:
    """Per pair: the correlation at the best shift, and how much evidence that is.

    Attributes:
        similarity: [n], −1 to 1: the lower of the correlations with and without the margin.
        evidence: [n], in standard deviations.
        shift: int [n, 2], rows and columns by which the first image lies further on.
    """

    similarity: Values
    evidence: Values
    shift: Shifts

    @property
    def same(self) -> NDArray[np.bool_]:
        """Whether a pair is one shot."""
        return (self.similarity >= LEAST_SIMILARITY) & (self.evidence >= LEAST_EVIDENCE)


def register(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> Registered:
    """Compare pairs of grey pictures, uint8 [n, 32, 32] each."""
    n = len(first)
    similarity, evidence = np.zeros(n), np.zeros(n)
    shift = np.zeros((n, 2), np.int64)
    for start in range(0, n, AT_A_TIME):
        part = slice(start, start + AT_A_TIME)
        one, other = _band(first[part]), _band(second[part])
        shift[part] = _best_shift(one, other)
        similarity[part] = _similarity(one, other, shift[part])
        cells = np.minimum(_extent(one), _extent(other)) / CELL
        # Fisher (1921): atanh(r) of n observations has the standard deviation 1 / sqrt(n - 3).
        clipped = np.clip(similarity[part], -0.9999, 0.9999)
        evidence[part] = np.arctanh(clipped) * np.sqrt(np.maximum(cells - 3, 0))
    return Registered(similarity, evidence, shift)


def _band(grey: NDArray[np.uint8]) -> Bands:
    values = grey.astype(np.float32)
    fine = ndimage.gaussian_filter(values, (0, FINE, FINE), mode="nearest")
    coarse = ndimage.gaussian_filter(values, (0, COARSE, COARSE), mode="nearest")
    band: Bands = fine - coarse
    return band


def _best_shift(one: Bands, other: Bands) -> Shifts:
    """The shift with the largest cross-correlation; padding keeps it from wrapping around."""
    size = (PADDED, PADDED)
    spectrum = fft.rfft2(one, size) * fft.rfft2(other, size).conj()
    correlation = fft.irfft2(spectrum, size)
    steps = np.arange(-REACH, REACH + 1)
    near = correlation[:, steps[:, None], steps[None, :]].reshape(len(one), -1)
    row, column = np.divmod(near.argmax(axis=1), len(steps))
    return np.stack([steps[row], steps[column]], axis=1)


def _similarity(one: Bands, other: Bands, shift: Shifts) -> Values:
    found = np.zeros(len(one))
    for down, right in np.unique(shift, axis=0):
        rows = np.flatnonzero((shift[:, 0] == down) & (shift[:, 1] == right))
        a = one[rows][:, _overlap(down), _overlap(right)]
        b = other[rows][:, _overlap(-down), _overlap(-right)]
        inside = slice(MARGIN, -MARGIN)
        within = _correlation(a[:, inside, inside], b[:, inside, inside])
        found[rows] = np.minimum(_correlation(a, b), within)
    return found


def _overlap(shift: int) -> slice:
    return slice(max(shift, 0), SIDE + min(shift, 0))


def _correlation(one: Bands, other: Bands) -> Values:
    """Pearson's, per pair; 0 where one of them is flat."""
    a, b = (part.reshape(len(part), -1).astype(np.float64) for part in (one, other))
    a -= a.mean(axis=1, keepdims=True)
    b -= b.mean(axis=1, keepdims=True)
    scale = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    quotient: Values = np.divide((a * b).sum(axis=1), scale, out=np.zeros(len(a)), where=scale > 1)
    return quotient


def _extent(band: Bands) -> Values:
    """Over how many pixels the structure is spread: (sum e)^2 / sum e^2 of its energy e."""
    energy = (band * band).reshape(len(band), -1).astype(np.float64)
    squares = (energy * energy).sum(axis=1)
    spread: Values = np.divide(
        energy.sum(axis=1) ** 2, squares, out=np.zeros(len(band)), where=squares > 0
    )
    return spread
