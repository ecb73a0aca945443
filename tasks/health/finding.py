"""A finding: what a health check saw, in words, with its evidence and what to do about it."""

from collections.abc import Sequence
from typing import Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from tasks.layout import SplitName
from tasks.metrics.change import Change
from tasks.metrics.metric import Metric

Check = Literal[
    "accuracy_paradox",
    "class_imbalance",
    "top5_ignored",
    "overfitting",
    "leakage",
    "duplicates",
    "label_errors",
    "permuted_classes",
]
Severity = Literal["info", "warn"]
Copy = Literal["exact", "near"]

TITLES: dict[Check, str] = {
    "accuracy_paradox": "Accuracy paradox",
    "class_imbalance": "Class imbalance",
    "top5_ignored": "Top-1 against top-5",
    "overfitting": "Overfitting",
    "leakage": "Training images in the test set",
    "duplicates": "Duplicates within the split",
    "label_errors": "Labels that may be wrong",
    "permuted_classes": "Order of the classes",
}
LISTED = 20
"""A finding lists so many pieces of evidence of a kind, and counts the rest."""
T = TypeVar("T")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ConfusedPair(_Frozen):
    """Images of one class that were taken for another; classes as indices."""

    target: int
    prediction: int
    count: int = Field(ge=0)
    name: str = Field(description="Both classes in words.")


class ImagePair(_Frozen):
    """An image of the split and its copy in the other split (or in the same one)."""

    key: str
    other: str
    copy_kind: Copy
    distance: float = Field(ge=0, description="0 for equal pixels; what it measures: docs/health.")
    mirrored: bool = False


class SearchedSplit(_Frozen):
    """The split in which copies were found, and where its images lie."""

    dataset: str
    split: str
    version: str = Field(description="Of the dataset: the digest of its manifest.")
    shards_folder: str = Field(description="Under the artifact root.")

    @property
    def name(self) -> SplitName:
        return SplitName(self.dataset, self.split)


class Suspect(_Frozen):
    """An image whose label the model contradicts with confidence; classes as indices."""

    key: str
    given: int
    suggested: int
    probability: float = Field(ge=0, le=1, description="Of the suggested class.")
    given_probability: float = Field(ge=0, le=1)
    name: str = Field(default="", description="Both labels in words.")


class Evidence(_Frozen):
    """What a finding rests on. Lists are cut at ``LISTED``; the totals count all."""

    metrics: tuple[Metric, ...] = ()
    changes: tuple[Change, ...] = Field(default=(), description="Differences of two accuracies.")
    classes: tuple[str, ...] = Field(default=(), description="Names of the classes concerned.")
    classes_total: int = 0
    confused: tuple[ConfusedPair, ...] = ()
    confused_total: int = 0
    pairs: tuple[ImagePair, ...] = ()
    pairs_total: int = 0
    searched: SearchedSplit | None = Field(
        default=None,
        description="Where `other` of the pairs lies, if not in the split itself.",
    )
    suspects: tuple[Suspect, ...] = ()
    suspects_total: int = 0


class Finding(_Frozen):
    """One check of one pair. It warns or informs; it never changes a verdict.

    ``checked`` is false where the check could not run; the sentence then says why.
    """

    check: Check
    severity: Severity
    checked: bool = True
    title: str
    sentence: str
    evidence: Evidence = Evidence()
    advice: str = ""

    @classmethod
    def info(
        cls, check: Check, sentence: str, evidence: Evidence | None = None, advice: str = ""
    ) -> Self:
        """The check ran and saw nothing to worry about."""
        return cls(
            check=check,
            severity="info",
            title=TITLES[check],
            sentence=sentence,
            evidence=evidence or Evidence(),
            advice=advice,
        )

    @classmethod
    def warning(cls, check: Check, sentence: str, evidence: Evidence, advice: str) -> Self:
        """The check saw what a person should look at."""
        return cls(
            check=check,
            severity="warn",
            title=TITLES[check],
            sentence=sentence,
            evidence=evidence,
            advice=advice,
        )

    @classmethod
    def not_checked(cls, check: Check, reason: str, advice: str = "") -> Self:
        """The check could not run."""
        return cls(
            check=check,
            severity="info",
            checked=False,
            title=TITLES[check],
            sentence=f"Not checked: {reason}",
            advice=advice,
        )


def listed(entries: Sequence[T]) -> tuple[T, ...]:
    """The head of a list of evidence, as a finding carries it."""
    return tuple(entries[:LISTED])
