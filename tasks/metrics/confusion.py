"""The confusion matrix (rows = target, columns = prediction), and what it alone tells.

Definitions agree with scikit-learn's ``precision_recall_fscore_support`` over the classes present,
with ``zero_division=0``; docs/metrics.md has the table of special cases.
"""

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from tasks.metrics.agreement import agreements

Counts = NDArray[np.int64]
Rates = NDArray[np.float64]
Normalisation = Literal["target", "prediction", "all"]
DRAWN_AT_A_TIME = 1 << 22
"""So many counts are resampled at once; a bound of memory that no figure depends on."""

AVERAGES = (
    "balanced_accuracy",
    "macro_precision",
    "macro_recall",
    "macro_f1",
    "weighted_precision",
    "weighted_recall",
    "weighted_f1",
)


@dataclass(frozen=True, eq=False)
class ConfusionMatrix:
    """Counts int64 [classes, classes]; merges by addition."""

    counts: Counts

    def __post_init__(self) -> None:
        if self.counts.ndim != 2 or self.counts.shape[0] != self.counts.shape[1]:
            raise ValueError(f"a confusion matrix is square, not {self.counts.shape}")

    @classmethod
    def of(cls, targets: NDArray[np.integer], predicted: NDArray[np.integer], classes: int) -> Self:
        """Count pairs. Raises ValueError if an index is not a class."""
        if len(targets) != len(predicted):
            raise ValueError(f"{len(targets)} targets for {len(predicted)} predictions")
        for name, indices in (("target", targets), ("prediction", predicted)):
            if len(indices) and not (indices.min() >= 0 and indices.max() < classes):
                raise ValueError(f"a {name} is not between 0 and {classes - 1}")
        cells = targets.astype(np.int64) * classes + predicted
        counts = np.bincount(cells, minlength=classes * classes)
        return cls(counts.reshape(classes, classes).astype(np.int64, copy=False))

    def __add__(self, other: Self) -> Self:
        return type(self)(self.counts + other.counts)

    def absorb(self, other: Self) -> Self:
        """Itself, with the counts of the other added in place.

        Of many classes a new matrix for every sum would take longer than counting.
        """
        np.add(self.counts, other.counts, out=self.counts)
        return self

    @property
    def classes(self) -> int:
        return len(self.counts)

    @property
    def n(self) -> int:
        return int(self.counts.sum())

    @property
    def hits(self) -> Counts:
        """Right predictions per class."""
        return np.diagonal(self.counts)

    @property
    def support(self) -> Counts:
        """Samples per class."""
        support: Counts = self.counts.sum(axis=1)
        return support

    @property
    def predicted(self) -> Counts:
        """Predictions per class."""
        predicted: Counts = self.counts.sum(axis=0)
        return predicted

    def averages(self) -> dict[str, float]:
        """The figures of ``AVERAGES``; empty where there is no sample."""
        if self.n == 0:
            return {}
        rows = _averages(*(part[None, :] for part in (self.hits, self.support, self.predicted)))
        return {name: float(values[0]) for name, values in rows.items()}

    def bootstrap(self, replicates: int, seed: int) -> dict[str, Rates]:
        """The figures of ``AVERAGES`` and ``AGREEMENTS`` over resamples of the n samples.

        Each is [replicates]; an agreement that a resample leaves undefined is NaN.

        Resampling is over the cells that hold a sample, all at once: the support of a class varies
        as it would in another draw of the data. (Within classes, a class of one sample would seem
        to be known exactly.)
        """
        targets, predictions = np.nonzero(self.counts)
        weights = self.counts[targets, predictions] / self.n
        generator = np.random.default_rng(seed)
        cells = np.arange(len(targets))
        shape = (len(targets), self.classes)
        to_support = scipy.sparse.csr_array((np.ones(len(cells)), (cells, targets)), shape)
        to_predicted = scipy.sparse.csr_array((np.ones(len(cells)), (cells, predictions)), shape)
        right = targets == predictions
        to_hits = scipy.sparse.csr_array(
            (np.ones(right.sum()), (cells[right], targets[right])), shape
        )
        # A few replicates at a time: of a million cells, a thousand would fill 8 GB.
        at_a_time = max(1, DRAWN_AT_A_TIME // len(cells))
        parts: list[dict[str, Rates]] = []
        for start in range(0, replicates, at_a_time):
            size = min(at_a_time, replicates - start)
            drawn = generator.multinomial(self.n, weights, size=size).astype(np.float64)
            sums = (drawn @ to_hits, drawn @ to_support, drawn @ to_predicted)
            parts.append(_averages(*sums) | agreements(*sums))
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def agreements(self) -> dict[str, float]:
        """The figures of ``AGREEMENTS``; NaN where undefined, empty where there is no sample."""
        if self.n == 0:
            return {}
        rows = agreements(*(part[None, :] for part in (self.hits, self.support, self.predicted)))
        return {name: float(values[0]) for name, values in rows.items()}

    def normalised(self, by: Normalisation) -> Rates:
        """Shares, float64 [classes, classes]: of the row's target, the column's prediction, of all.

        NaN where the whole is 0 (an absent class, a class never predicted, no samples), which no
        share can be of; scikit-learn's ``confusion_matrix(normalize=...)`` says 0 there.
        """
        whole = {
            "target": self.support[:, None],
            "prediction": self.predicted[None, :],
            "all": np.array([[self.n]]),
        }[by]
        with np.errstate(invalid="ignore"):
            shares: Rates = self.counts / whole
        return shares

    def effective_samples(self) -> dict[str, float]:
        """How many independent samples each of ``AVERAGES`` is worth; empty where there is none.

        A mean over C classes weighs a sample of class c by 1/(C n_c), and samples of unequal weight
        w are worth (sum w)^2 / sum w^2 of equal ones. Source: Kish (1965), Survey Sampling, 11.7.
        """
        if self.n == 0:
            return {}
        present = self.support > 0
        support, predicted = self.support[present], self.predicted[present]
        of_recall = len(support) ** 2 / float((1 / support).sum())
        # Precision rests on what was predicted; a class that never was adds a certain 0.
        basis = np.where(predicted > 0, predicted, support)
        of_precision = len(support) ** 2 / float((1 / basis).sum())
        worth = dict.fromkeys(AVERAGES, float(self.n))
        macro = {"balanced_accuracy": of_recall, "macro_recall": of_recall, "macro_f1": of_recall}
        return worth | macro | {"macro_precision": of_precision}

    def most_confused(self, limit: int) -> list[tuple[int, int, int]]:
        """The largest cells off the diagonal as (target, prediction, count), largest first."""
        off = self.counts - np.diag(self.hits)
        targets, predictions = np.nonzero(off)
        counts = off[targets, predictions]
        order = np.lexsort((predictions, targets, -counts))[:limit]
        return [(int(targets[i]), int(predictions[i]), int(counts[i])) for i in order]


def _averages(
    hits: Counts | Rates, support: Counts | Rates, predicted: Counts | Rates
) -> dict[str, Rates]:
    """Averages for each row of counts [rows, classes], over the classes present in that row."""
    recall = _ratio(hits, support)
    precision = _ratio(hits, predicted)
    f1 = _ratio(2 * hits, support + predicted)
    present = (support > 0).astype(np.float64)
    found: dict[str, Rates] = {}
    for name, weights in (("macro", present), ("weighted", support.astype(np.float64))):
        for metric, values in (("precision", precision), ("recall", recall), ("f1", f1)):
            found[f"{name}_{metric}"] = (values * weights).sum(axis=1) / weights.sum(axis=1)
    return {"balanced_accuracy": found["macro_recall"], **found}


def _ratio(part: Counts | Rates, whole: Counts | Rates) -> Rates:
    """Part / whole, 0 where whole is 0."""
    quotients: Rates = np.divide(part, whole, out=np.zeros(whole.shape), where=whole != 0)
    return quotients
