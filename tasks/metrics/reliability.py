"""Calibration and selective prediction as figures: errors with intervals, and reliability bins."""

from collections.abc import Iterator

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from tasks.metrics.calibration import (
    FINE,
    FIXED_POINT,
    WIDE,
    Bins,
    Calibration,
    cell_floors,
    equal_mass_ends,
)
from tasks.metrics.intervals import (
    CONFIDENCE,
    REPLICATES,
    SEED,
    Interval,
    centred_percentiles,
    wilson,
)
from tasks.metrics.metric import Metric
from tasks.metrics.selective import aurc

CALIBRATION_NAMES = ("ece", "ece_equal_mass", "aurc")


class ReliabilityBin(BaseModel):
    """Predictions whose confidence lies above ``above`` and not above ``up_to``.

    ``mean_confidence``, ``accuracy`` and its Wilson interval are null where n is 0.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    above: float
    up_to: float
    n: int
    hits: int
    mean_confidence: float | None
    accuracy: float | None = None
    low: float | None = Field(default=None, description="Of the accuracy.")
    high: float | None = None


def equal_width_bins(calibration: Calibration) -> tuple[ReliabilityBin, ...]:
    """``WIDE`` bins, empty ones too."""
    edges = [index / WIDE for index in range(WIDE + 1)]
    return tuple(_bins(calibration.wide, edges))


def equal_mass_bins(calibration: Calibration) -> tuple[ReliabilityBin, ...]:
    """At most ``WIDE`` bins of about equal n, their borders at those of fine cells."""
    ends = equal_mass_ends(calibration.fine.counts)
    floors = np.append(cell_floors(), 1.0)
    edges = [0.0, *(float(floors[end]) if end < FINE else 1.0 for end in ends)]
    if len(ends):
        edges[-1] = 1.0
    return tuple(_bins(calibration.fine.joined(ends), edges))


def calibration_metrics(calibration: Calibration) -> list[Metric]:
    """``CALIBRATION_NAMES``; undefined without samples, and without an interval of one sample."""
    n = calibration.fine.n
    if not n:
        return [Metric.undefined(name, "no_samples") for name in CALIBRATION_NAMES]
    mass = calibration.fine.joined(equal_mass_ends(calibration.fine.counts))
    return [
        _ece("ece", calibration.wide),
        _ece("ece_equal_mass", mass),
        _aurc(calibration.fine),
    ]


def _bins(bins: Bins, edges: list[float]) -> Iterator[ReliabilityBin]:
    for index, (n, hits) in enumerate(zip(bins.counts.tolist(), bins.hits.tolist(), strict=True)):
        low, high = wilson(hits, n) if n else (None, None)
        yield ReliabilityBin(
            above=edges[index],
            up_to=edges[index + 1],
            n=n,
            hits=hits,
            mean_confidence=int(bins.confidence[index]) / FIXED_POINT / n if n else None,
            accuracy=hits / n if n else None,
            low=low,
            high=high,
        )


def _ece(name: str, bins: Bins) -> Metric:
    """With the bootstrap's upper end, and a lower end that chance alone cannot lift.

    Chance alone lifts a sum of absolute differences, so that a perfect model has an error above 0.
    By the triangle inequality it lifts it by no more than the noise of all bins together.
    """
    value = bins.ece
    if bins.n == 1:
        return Metric(name=name, value=value, n=1)
    counts, hits, confidence = bins.resampled(REPLICATES, SEED)
    replicates = np.abs(hits - confidence).sum(axis=1) / counts.sum(axis=1)
    _, high = centred_percentiles(value, replicates)
    low = value - float(np.quantile(bins.noise(REPLICATES, SEED), 1 - (1 - CONFIDENCE) / 2))
    # Few mistakes hardly vary from resample to resample. The accuracy may lie anywhere in Wilson's
    # interval, and the error is at least its distance to the mean confidence.
    mean = int(bins.confidence.sum()) / FIXED_POINT / bins.n
    floor = max(abs(end - mean) for end in wilson(int(bins.hits.sum()), bins.n))
    return _within(name, value, (low, max(high, floor)), bins.n)


def _aurc(fine: Bins) -> Metric:
    value = float(aurc(fine.counts[None, :], fine.hits[None, :])[0])
    if fine.n == 1:
        return Metric(name="aurc", value=value, n=1)
    counts, hits, _ = fine.resampled(REPLICATES, SEED)
    ends = centred_percentiles(value, aurc(counts, hits))
    # As above: were there more mistakes or fewer, alike at all confidences, AURC would scale.
    errors = fine.n - int(fine.hits.sum())
    low, high = wilson(errors, fine.n)
    scale = value * fine.n / errors if errors else 1.0
    return _within("aurc", value, (min(ends[0], low * scale), max(ends[1], high * scale)), fine.n)


def _within(name: str, value: float, ends: Interval, n: int) -> Metric:
    low, high = max(min(ends[0], value), 0.0), min(max(ends[1], value), 1.0)
    return Metric(name=name, value=value, low=low, high=high, n=n, method="bootstrap")
