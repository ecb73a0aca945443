"""Which classes and slices of a scoring a gate is about."""

from collections.abc import Sequence

from shards.sample import ClassList
from tasks.gates.gate import Gate
from tasks.metrics.metric import Metric
from tasks.metrics.point_check import THRESHOLD_NAMES
from tasks.metrics.scoring import Scoring


def class_indices(gate: Gate, classes: ClassList, of: str) -> frozenset[int]:
    """The classes that the gate names, or all; ``of`` is the pair, for the error.

    Raises:
        ValueError: a foreign or unclear name.
    """
    if gate.classes is None:
        return frozenset(range(len(classes)))
    found: set[int] = set()
    for wanted in gate.classes:
        named = [i for i, name in enumerate(classes.names) if name == wanted]
        indices = [i for i, key in enumerate(classes.ids) if key == wanted] or named
        if len(indices) != 1:
            fault = "is no class of" if not indices else "names several classes of"
            raise ValueError(f"gate {gate}: {wanted!r} {fault} {of}; use the class id")
        found.update(indices)
    return frozenset(found)


def refuse_unknown_slices(gate: Gate, known: Sequence[str], of: str) -> None:
    """Raises ValueError if the gate names a slice that is not among those known."""
    for wanted in gate.slices or ():
        if not any(_is_of(name, wanted) for name in known):
            there = f"there are: {', '.join(known[:20])}" if known else "it has no slices"
            raise ValueError(f"gate {gate}: {of} has no slice {wanted!r}; {there}")


def class_metrics(gate: Gate, scoring: Scoring) -> list[Metric]:
    """The gate's metric of the classes that it names, or of all that have it.

    Raises:
        ValueError: a named class is foreign or unclear, or has no such figure to judge.
    """
    wanted = class_indices(gate, scoring.classes, str(scoring.pair))
    found = [m for m in scoring.per_class if m.name == gate.metric and m.class_index in wanted]
    missing = wanted - {metric.class_index for metric in found}
    if gate.classes is not None and missing:
        name = scoring.class_names[min(missing)]
        fault = f"has no operating point of {name}; name its file under `operating_points`"
        if gate.metric not in THRESHOLD_NAMES:
            fault = (
                f"has no {gate.metric} of {name}, since an earlier nightmark scored it; rescore it"
            )
        raise ValueError(f"gate {gate}: {scoring.pair} {fault}")
    return found


def slice_metrics(gate: Gate, scoring: Scoring) -> list[Metric]:
    """The gate's metric in the slices that it names, or in all.

    Raises:
        ValueError: a named slice, or the metric in any slice, is not in the scoring.
    """
    metrics = [metric for metric in scoring.slices if metric.name == gate.metric]
    refuse_unknown_slices(gate, [metric.slice or "" for metric in metrics], str(scoring.pair))
    if gate.slices is None:
        return metrics
    return [m for m in metrics if any(_is_of(m.slice or "", wanted) for wanted in gate.slices)]


def _is_of(name: str, wanted: str) -> bool:
    """Whether a slice ``field=value`` is the one wanted, or a value of the field wanted."""
    return name == wanted or name.partition("=")[0] == wanted
