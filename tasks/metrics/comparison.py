"""A comparison on record: a candidate against a baseline."""

import hashlib
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from tasks.metrics.aligned import MatchedBy
from tasks.metrics.change import Change
from tasks.metrics.metric import Metric
from tasks.predictions.evaluation import ID_DIGITS
from tasks.records import Pair, Record

COMPARISON_REVISION = 1
"""Raise it when a figure changes for equal rows."""
LISTED_SAMPLES = 50
"""So many fixed and so many broken samples stand in the record; all of them in the Parquet file."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Side(_Frozen):
    """One of the two evaluations, and under which scoring it is known."""

    pair: Pair
    evaluation: str
    scoring: str
    model_fingerprint: str
    dataset_version: str


class ChangedSample(_Frozen):
    """A sample that one model has right; ``said`` is what the other one took it for."""

    key: str
    target: int
    said: int
    confidence: float


class Comparison(Record):
    """``comparison.json``: a candidate against a baseline. All counts are of common samples."""

    schema_name: Literal["nightmark.comparison"] = "nightmark.comparison"
    schema_version: Literal[1] = 1
    id: str
    revision: int = COMPARISON_REVISION
    baseline: Side
    candidate: Side
    class_ids: tuple[str, ...]
    class_names: tuple[str, ...]
    paired: bool = Field(description="Whether both were measured on the same images.")
    matched_by: MatchedBy
    targets_file: str | None = Field(
        default=None, description="What replaced targets of the dataset, on both sides."
    )
    common: int = Field(description="Samples that both have.")
    only_baseline: int
    only_candidate: int
    n: int = Field(description="Common labelled samples that both could predict.")
    unlabelled: int
    failed_baseline: int = Field(description="Labelled samples the baseline could not predict.")
    failed_candidate: int
    retargeted: int = Field(
        description="Samples whose target the baseline did not know; the candidate's counts."
    )
    both_right: int
    fixed: int
    broken: int
    both_wrong: int
    p: float | None = Field(description="Exact McNemar, two-sided; null without a sample.")
    chi_squared: float | None = Field(description="McNemar's, with continuity correction.")
    churn: Metric
    overall: tuple[Change, ...]
    per_class: tuple[Change, ...] = Field(description="Recall of each class that has samples.")
    broken_samples: tuple[ChangedSample, ...]
    fixed_samples: tuple[ChangedSample, ...]

    def change(self, metric: str) -> Change | None:
        """An overall change, or None where the metric was not compared."""
        return next((found for found in self.overall if found.metric == metric), None)

    @property
    def is_identity(self) -> bool:
        return self.baseline.evaluation == self.candidate.evaluation


def comparison_id(baseline: Side, candidate: Side) -> str:
    """Depends on what is compared alone, so that a comparison is made once."""
    sides = " ".join(f"{side.evaluation} {side.scoring}" for side in (baseline, candidate))
    digest = hashlib.sha256(f"{sides} {COMPARISON_REVISION}".encode()).hexdigest()
    return f"c{digest[:ID_DIGITS]}"
