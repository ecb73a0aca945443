"""What a plan asks of the figures of one pair, with the files that it names read."""

from dataclasses import dataclass

from conf.plan import Plan
from shards.sample import ClassList
from tasks.layout import PairName
from tasks.metrics.operating_point import thresholds_for
from tasks.metrics.spec import ScoringSpec
from tasks.targets.overlay import TargetOverlay
from tasks.targets.reading import read_overlay


@dataclass(frozen=True)
class Asked:
    """Under which targets a pair is scored (None for its dataset's own), and what is computed."""

    overlay: TargetOverlay | None
    spec: ScoringSpec


def asked_for(plan: Plan, pair: PairName, classes: ClassList) -> Asked:
    """Read before anything is predicted, so that a faulty file costs no night.

    Raises:
        InputError: the file of targets or an operating point cannot be used.
    """
    targets = plan.dataset(pair.split.dataset).targets
    overlay = None if targets is None else read_overlay(targets, classes)
    thresholds = thresholds_for(plan.operating_points, pair, classes, tuple(plan.pairs()))
    spec = plan.scoring(pair.split.dataset)
    return Asked(overlay, spec.model_copy(update={"thresholds": thresholds}))
