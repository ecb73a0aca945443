"""What a plan asks of the figures of one pair, with the files that it names read."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from conf.plan import Plan
from shards.errors import InputError
from shards.sample import ClassList
from tasks.gates.gate import Gate
from tasks.gates.subjects import class_indices, refuse_unknown_slices
from tasks.layout import PairName
from tasks.metrics.operating_point import thresholds_for
from tasks.metrics.slicing import slice_samples
from tasks.metrics.spec import ScoringSpec
from tasks.targets.overlay import TargetOverlay
from tasks.targets.reading import read_overlay


@dataclass(frozen=True)
class Asked:
    """Under which targets a pair is scored (None for its dataset's own), and what is computed."""

    overlay: TargetOverlay | None
    spec: ScoringSpec


def asked_for(
    plan: Plan, pair: PairName, classes: ClassList, samples: pa.Table | None = None
) -> Asked:
    """Read before anything is predicted, so that a faulty wish costs no night.

    Args:
        plan: what is asked for.
        pair: of which pair.
        classes: those of its dataset.
        samples: its samples.parquet; None where nothing is predicted, and slices are made at once.

    Raises:
        InputError: the file of targets or an operating point cannot be used, the samples do not
            allow a slice, or a gate names a class or a slice that there is not.
    """
    targets = plan.dataset(pair.split.dataset).targets
    overlay = None if targets is None else read_overlay(targets, classes)
    thresholds = thresholds_for(plan.operating_points, pair, classes, tuple(plan.pairs()))
    spec = plan.scoring(pair.split.dataset)
    if samples is not None:
        names = [name for made in slice_samples(samples, spec, classes) for name in made.names]
        for gate in plan.gates_for(pair):
            _refuse_foreign(gate, classes, names, pair)
    return Asked(overlay, spec.model_copy(update={"thresholds": thresholds}))


def _refuse_foreign(gate: Gate, classes: ClassList, slices: Sequence[str], pair: PairName) -> None:
    try:
        class_indices(gate, classes, str(pair))
        refuse_unknown_slices(gate, slices, str(pair))
    except ValueError as error:
        raise InputError(str(error)) from error
