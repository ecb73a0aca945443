"""Selective prediction: how many mistakes are left if only the confident predictions are used.

The n samples are ranked by confidence, the surest first. Coverage is the share that is used, risk
the share of mistakes among it; AURC is the mean of the risk over all n coverages. Where confidences
are equal (here: in one fine cell) their order is chance, and its expectation is taken. Source:
Geifman, Uziel and El-Yaniv (2019), ICLR.
"""

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy.special import digamma

from tasks.metrics.calibration import Bins, cell_floors
from tasks.metrics.intervals import wilson

Rates = NDArray[np.float64]
COVERAGES = tuple(step / 20 for step in range(1, 21))


class RiskPoint(BaseModel):
    """The mistakes among the surest ``n`` predictions, with Wilson's interval of the risk."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    coverage: float = Field(description="n over all predictions.")
    confidence: float = Field(description="The predictions above it are used.")
    n: int
    errors: int
    risk: float
    low: float
    high: float


def aurc(counts: NDArray[np.number], hits: NDArray[np.number]) -> Rates:
    """The area under the risk-coverage curve, for each row of cells [rows, cells].

    Cells rise with confidence. The j-th of m samples of a cell, of which e are mistakes, stands
    after N samples with E mistakes: its expected risk is (E + j e/m) / (N + j), and the sum over j
    has a closed form in harmonic numbers.
    """
    m = counts[:, ::-1].astype(np.float64)
    e = m - hits[:, ::-1]
    before, errors_before = m.cumsum(axis=1) - m, e.cumsum(axis=1) - e
    rate = np.divide(e, m, out=np.zeros_like(m), where=m > 0)
    harmonic = digamma(before + m + 1) - digamma(before + 1)
    summed = e + (errors_before - rate * before) * harmonic
    area: Rates = summed.sum(axis=1) / m.sum(axis=1)
    return area


def risk_coverage(fine: Bins) -> tuple[RiskPoint, ...]:
    """The curve at each of ``COVERAGES``, at the first cell that reaches it; empty without samples.

    Coverages that one cell reaches together are one point.
    """
    counts, errors = fine.counts[::-1].cumsum(), (fine.counts - fine.hits)[::-1].cumsum()
    if not fine.n:
        return ()
    wanted = np.ceil(np.array(COVERAGES) * fine.n - 1e-9)
    reached = np.unique(np.searchsorted(counts, wanted))
    floors = cell_floors()[::-1]
    return tuple(
        _point(int(counts[cell]), int(errors[cell]), fine.n, float(floors[cell]))
        for cell in reached
    )


def _point(n: int, errors: int, of: int, confidence: float) -> RiskPoint:
    low, high = wilson(errors, n)
    return RiskPoint(
        coverage=n / of,
        confidence=confidence,
        n=n,
        errors=errors,
        risk=errors / n,
        low=low,
        high=high,
    )
