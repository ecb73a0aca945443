"""A scoring: the numbers computed from an evaluation under given targets."""

import hashlib
from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from shards.sample import ClassList
from tasks.metrics.intervals import CONFIDENCE
from tasks.metrics.metric import Metric
from tasks.metrics.point_check import PointCheck
from tasks.metrics.ranking import Ranking
from tasks.metrics.reliability import ReliabilityBin, equal_mass_bins, equal_width_bins
from tasks.metrics.selective import RiskPoint, risk_coverage
from tasks.metrics.spec import DEFAULT, ScoringSpec
from tasks.metrics.summary import METRICS_REVISION, class_metrics, overall_metrics
from tasks.metrics.tallies import Tallies
from tasks.predictions.evaluation import ID_DIGITS, Evaluation
from tasks.records import Pair, Record
from tasks.targets.overlay import Overlaid


class Scoring(Record):
    """``metrics.json``. It holds neither time nor place: equal predictions give equal bytes."""

    schema_name: Literal["nightmark.metrics"] = "nightmark.metrics"
    schema_version: Literal[1] = 1
    id: str
    evaluation: str
    pair: Pair
    dataset_version: str
    targets_digest: str
    model_fingerprint: str
    metrics_revision: int = METRICS_REVISION
    confidence: float
    n: int = Field(description="Labelled samples that were predicted.")
    failed: int = Field(description="Labelled samples that could not be predicted.")
    unlabelled: int
    class_ids: tuple[str, ...]
    class_names: tuple[str, ...]
    support: tuple[int, ...] = Field(description="Predicted labelled samples per class.")
    overall: tuple[Metric, ...]
    per_class: tuple[Metric, ...]
    slices: tuple[Metric, ...] = Field(
        default=(), description="Figures of slices of the samples, by slice, then metric."
    )
    reliability: tuple[ReliabilityBin, ...] = Field(
        default=(), description="Confidence against accuracy in bins of equal width."
    )
    reliability_equal_mass: tuple[ReliabilityBin, ...] = Field(
        default=(), description="The same in bins of about equal n."
    )
    risk_coverage: tuple[RiskPoint, ...] = Field(
        default=(), description="The mistakes left if only the surest predictions are used."
    )
    confusion: tuple[tuple[int, int, int], ...] = Field(
        description="Non-zero cells (target, prediction, count), by target, then prediction."
    )
    overlaid: Overlaid | None = Field(
        default=None, description="What replaced targets of the dataset; null if nothing did."
    )
    spec: ScoringSpec = Field(default=DEFAULT, description="What was asked for.")
    operating_points: tuple[PointCheck, ...] = Field(
        default=(), description="What the thresholds of `spec` reach."
    )

    def metric(self, name: str) -> Metric:
        """An overall metric. Raises KeyError."""
        return next((m for m in self.overall if m.name == name), None) or _no_metric(name)

    def of_class(self, index: int) -> Iterator[Metric]:
        """The metrics of one class."""
        return (metric for metric in self.per_class if metric.class_index == index)

    @property
    def classes(self) -> ClassList:
        return ClassList(names=self.class_names, ids=self.class_ids)


def compose_scoring(
    evaluation: Evaluation,
    classes: ClassList,
    tallies: Tallies,
    overlaid: Overlaid | None = None,
    spec: ScoringSpec = DEFAULT,
    ranking: Ranking | None = None,
    checks: tuple[PointCheck, ...] = (),
    slices: tuple[Metric, ...] = (),
) -> Scoring:
    """All numbers of an evaluation under the targets of its dataset, or those laid over them."""
    if len(classes) != tallies.confusion.classes:
        raise ValueError(f"{len(classes)} classes for tallies over {tallies.confusion.classes}")
    targets = overlaid_digest(evaluation.targets_digest, overlaid)
    identity = f"{evaluation.id} {targets} {METRICS_REVISION} {spec.identity}".rstrip()
    matrix = tallies.confusion
    rows, columns = matrix.counts.nonzero()
    counts = matrix.counts[rows, columns]
    return Scoring(
        id="s" + hashlib.sha256(identity.encode()).hexdigest()[:ID_DIGITS],
        evaluation=evaluation.id,
        pair=evaluation.pair,
        dataset_version=evaluation.dataset_version,
        targets_digest=targets,
        model_fingerprint=evaluation.model_fingerprint,
        confidence=CONFIDENCE,
        n=tallies.n,
        failed=tallies.failed,
        unlabelled=tallies.unlabelled,
        class_ids=classes.ids,
        class_names=classes.names,
        support=tuple(matrix.support.tolist()),
        overall=overall_metrics(tallies, spec.top_ks, ranking),
        per_class=(
            *class_metrics(tallies, ranking),
            *(metric for check in checks for metric in check.metrics),
        ),
        slices=slices,
        reliability=equal_width_bins(tallies.calibration),
        reliability_equal_mass=equal_mass_bins(tallies.calibration),
        risk_coverage=risk_coverage(tallies.calibration.fine),
        confusion=tuple(zip(rows.tolist(), columns.tolist(), counts.tolist(), strict=True)),
        overlaid=overlaid,
        spec=spec,
        operating_points=checks,
    )


def overlaid_digest(targets_digest: str, overlaid: Overlaid | None) -> str:
    """The digest of a dataset's targets with an overlay over them."""
    if overlaid is None:
        return targets_digest
    return hashlib.sha256(f"{targets_digest} {overlaid.digest}".encode()).hexdigest()


def _no_metric(name: str) -> Metric:
    raise KeyError(f"there is no metric {name!r}")
