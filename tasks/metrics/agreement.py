"""Agreement beyond chance: Matthews' correlation and Cohen's kappa over any number of classes.

Both are (agreement − agreement by chance) / scale, from the margins of the confusion matrix alone.
Definitions agree with scikit-learn's ``matthews_corrcoef`` and ``cohen_kappa_score``; where the
scale is 0 there is no figure, while scikit-learn says 0 or NaN.
"""

import numpy as np
from numpy.typing import NDArray

from tasks.metrics.intervals import Interval, wilson

Counts = NDArray[np.int64]
Rates = NDArray[np.float64]
AGREEMENTS = ("mcc", "kappa")


def agreements(
    hits: Counts | Rates, support: Counts | Rates, predicted: Counts | Rates
) -> dict[str, Rates]:
    """``AGREEMENTS`` for each row of counts [rows, classes]; NaN where undefined.

    ``mcc`` needs two classes among the targets and two among the predictions, ``kappa`` two among
    both together. Sources: Gorodkin (2004), Computational Biology and Chemistry 28, 367-374; Cohen
    (1960), Educational and Psychological Measurement 20, 37-46.
    """
    agreed, by_chance, scales = _parts(hits, support, predicted)
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            name: np.where(scale > 0, (agreed - by_chance) / scale, np.nan)
            for name, scale in scales.items()
        }


def wilson_agreements(hits: Counts, support: Counts, predicted: Counts) -> dict[str, Interval]:
    """Wilson's interval of the agreement, carried over to each of ``AGREEMENTS``, margins fixed."""
    rows = _parts(hits[None, :], support[None, :], predicted[None, :])
    n = int(support.sum())
    ends = wilson(int(hits.sum()), n)
    by_chance = float(rows[1][0])
    found: dict[str, Interval] = {}
    for name, scale in rows[2].items():
        if scale[0] > 0:
            low, high = ((end - by_chance) / float(scale[0]) for end in ends)
            found[name] = (max(low, -1.0), min(high, 1.0))
    return found


def _parts(
    hits: Counts | Rates, support: Counts | Rates, predicted: Counts | Rates
) -> tuple[Rates, Rates, dict[str, Rates]]:
    """Agreement, agreement by chance, and the scale of each figure; each [rows]."""
    n = support.sum(axis=1, keepdims=True)
    of_targets, of_predictions = support / n, predicted / n
    by_chance = (of_targets * of_predictions).sum(axis=1)
    # Integers tell one class alone exactly; 1 - sum of squares might miss 0 by a rounding.
    alone = (support == n).any(axis=1), (predicted == n).any(axis=1)
    alike = (1 - (of_targets**2).sum(axis=1)) * (1 - (of_predictions**2).sum(axis=1))
    together = ((support == n) & (predicted == n)).any(axis=1)
    scales = {
        "mcc": np.where(alone[0] | alone[1], 0.0, np.sqrt(np.maximum(alike, 0.0))),
        "kappa": np.where(together, 0.0, 1 - by_chance),
    }
    return hits.sum(axis=1) / n[:, 0], by_chance, scales
