"""Training images against test images, with the reference figures of a real network."""

import numpy as np
import pytest
from scipy import stats

from tasks.health.overfitting import overfitting
from tasks.metrics.scoring import Scoring
from tests.tasks.metrics.made_by_hand import scoring_of, tallies_of


def right(hits: int, n: int) -> Scoring:
    return scoring_of(tallies_of(np.array([[hits, n - hits], [0, 0]])))


def test_resnet20_on_cifar10_knows_its_training_images_better() -> None:
    found = overfitting(right(8103, 10_000), right(4305, 5000))
    (change,) = found.evidence.changes
    assert change.difference == pytest.approx(4305 / 5000 - 8103 / 10_000)
    # Agresti and Caffo's simpler interval differs in the fourth digit at these n.
    shares = [(4306 / 5002), (8104 / 10_002)]
    width = stats.norm.isf(0.025) * np.sqrt(
        sum(p * (1 - p) / n for p, n in zip(shares, (5002, 10_002), strict=True))
    )
    assert (change.low, change.high) == pytest.approx(
        (shares[0] - shares[1] - width, shares[0] - shares[1] + width), abs=5e-4
    )
    assert found.severity == "warn"
    assert "+5.1 points (95 % interval +3.8 to +6.3)" in found.sentence
    assert "(4,305 of 5,000" in found.sentence


@pytest.mark.parametrize(
    ("train", "test"), [((90, 100), (85, 100)), ((8150, 10_000), (8103, 10_000)), ((5, 9), (9, 9))]
)
def test_a_gap_that_is_small_or_not_shown_informs(
    train: tuple[int, int], test: tuple[int, int]
) -> None:
    assert overfitting(right(*test), right(*train)).severity == "info"


def test_without_images_there_is_nothing_to_compare() -> None:
    assert not overfitting(right(0, 0), right(5, 9)).checked
    assert not overfitting(right(5, 9), right(0, 0)).checked


def test_two_models_are_not_compared() -> None:
    other = right(5, 9).model_copy(update={"model_fingerprint": "other"})
    with pytest.raises(ValueError, match="not of one version"):
        overfitting(right(5, 9), other)
