"""Labels that may be wrong: the model is sure of another class, measured by its own standards."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shards.sample import ClassList
from tasks.health.evidence import share_text
from tasks.health.finding import LISTED, Evidence, Finding, Suspect
from tasks.metrics.metric import Metric
from tasks.metrics.words import class_labels, counted

SHARE = 0.033
"""It warns where the share of suspects is shown to be above that of wrong labels in an average test
set. Source: Northcutt, Athalye and Mueller (2021), arXiv:2103.14749 (3.3 % over ten test sets)."""
LEAST_OF_CLASS = 2
"""From one image no standard of a class can be set."""
TOLERANCE = 1e-6
"""Probabilities are stored as float32: a share that equals its class's standard meets it."""
ADVICE = (
    "Look at the first of the list by eye. Put the labels that are wrong into a file of corrected "
    "targets; what is left are mistakes of the model that it is sure of."
)


@dataclass(frozen=True, eq=False)
class LabelledScores:
    """Samples that have a label and full probabilities; some thousands at a time.

    Attributes:
        keys: one per sample.
        targets: int [n].
        probabilities: [n, classes], float16 or wider.
    """

    keys: Sequence[str]
    targets: NDArray[np.int64]
    probabilities: NDArray[np.floating]

    def __post_init__(self) -> None:
        n = len(self.keys)
        if self.targets.shape != (n,) or self.probabilities.shape[:1] != (n,):
            raise ValueError(f"{n} keys for {self.targets.shape} and {self.probabilities.shape}")

    @property
    def own(self) -> NDArray[np.float64]:
        """The probability of each sample's label."""
        rows = np.arange(len(self.keys))
        own: NDArray[np.float64] = self.probabilities[rows, self.targets].astype(np.float64)
        return own


@dataclass(frozen=True, slots=True)
class Standards:
    """Of each class: how many samples have its label, and what probability it is for them.

    ``values`` is inf where fewer than ``LEAST_OF_CLASS`` have it.
    """

    n: int
    values: NDArray[np.float64]

    @classmethod
    def of(cls, parts: Iterable[LabelledScores], classes: int) -> "Standards":
        support, sums = np.zeros(classes), np.zeros(classes)
        for part in parts:
            support += np.bincount(part.targets, minlength=classes)
            sums += np.bincount(part.targets, weights=part.own, minlength=classes)
        known = support >= LEAST_OF_CLASS
        means = np.divide(sums, support, out=np.full(classes, np.inf), where=known)
        return cls(int(support.sum()), means)


def suspects(part: LabelledScores, standards: Standards) -> list[tuple[float, Suspect]]:
    """Confident learning: the samples off the diagonal of the confident joint, with their margins.

    The standard of a class is the mean probability that its own samples give it. A sample is sure
    of the most probable class among those whose standard it meets; where that is not its label, it
    is a suspect. The margin is the probability of the label less that of the best other class.
    Source: Northcutt, Jiang and Chuang (2021), JAIR 70, 1373-1411.
    """
    if not len(part.keys):
        return []
    probabilities = part.probabilities.astype(np.float64)
    meets = probabilities >= standards.values - TOLERANCE
    sure = np.where(meets, probabilities, -1.0).argmax(axis=1)
    own = part.own
    found = []
    for row in np.flatnonzero(meets.any(axis=1) & (sure != part.targets)).tolist():
        given, suggested = int(part.targets[row]), int(sure[row])
        others = np.delete(probabilities[row], given)
        suspect = Suspect(
            key=part.keys[row],
            given=given,
            suggested=suggested,
            probability=_share(probabilities[row, suggested]),
            given_probability=_share(own[row]),
        )
        found.append((float(own[row] - others.max()), suspect))
    return found


def label_errors(
    parts: Iterable[LabelledScores], classes: ClassList, *, exact: bool = True
) -> Finding:
    """The labels that the model contradicts with confidence, the least believed first.

    Args:
        parts: what was predicted, with the labels; gone through twice.
        classes: the names of the columns.
        exact: whether the probabilities are float32; those of float16 may move a suspect or two.
    """
    standards = Standards.of(parts, len(classes))
    n = standards.n
    if not n:
        return Finding.not_checked("label_errors", "no labelled image was predicted.")
    found = sorted(
        (entry for part in parts for entry in suspects(part, standards)),
        key=lambda entry: (entry[0], entry[1].key),
    )
    share = Metric.proportion("suspected_labels", len(found), n)
    labels = class_labels(classes.names, classes.ids)
    first = tuple(_named(suspect, labels) for _, suspect in found[:LISTED])
    evidence = Evidence(metrics=(share,), suspects=first, suspects_total=len(found))
    rounded = "" if exact else " The probabilities are kept as float16, which may move a few."
    sentence = (
        f"{counted(len(found), 'image')} of {n:,} ({share_text(share)}) "
        f"{'has' if len(found) == 1 else 'have'} a label that the model contradicts with "
        f"confidence. Some of these labels are wrong, the others are the model's own mistakes."
        f"{rounded}"
    )
    if share.low is not None and share.low > SHARE:
        return Finding.warning("label_errors", sentence, evidence, ADVICE)
    return Finding.info("label_errors", sentence, evidence, ADVICE if first else "")


def _named(suspect: Suspect, labels: Sequence[str]) -> Suspect:
    name = f"labelled {labels[suspect.given]}, looks like {labels[suspect.suggested]}"
    return suspect.model_copy(update={"name": name})


def _share(value: float) -> float:
    """Rounding may carry a stored probability past 1."""
    return min(max(float(value), 0.0), 1.0)
