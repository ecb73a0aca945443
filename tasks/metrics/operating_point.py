"""An operating point: a class, a threshold on its probability, and what it was seen to reach."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from shards.errors import InputError, ShardError
from shards.sample import ClassList
from tasks.layout import PairName
from tasks.metrics.intervals import wilson
from tasks.metrics.point_check import ClassThreshold
from tasks.metrics.scoring import Scoring
from tasks.metrics.threshold import (
    AtThreshold,
    ClassScores,
    CurvePoint,
    Wanted,
    choose,
)
from tasks.metrics.words import counted, figure
from tasks.records import Pair, Record

RULE = (
    "An image whose probability of the class is at least the threshold is called the class; any "
    "other image is called the most probable of the other classes."
)
KEPT_POINTS = 100
"""An exported curve has at most so many points."""


class OperatingPoint(Record):
    """The file that a deployment reads, and that later nights check again."""

    schema_name: Literal["nightmark.operating_point"] = "nightmark.operating_point"
    schema_version: Literal[1] = 1
    pair: Pair
    class_index: int = Field(ge=0)
    class_id: str
    class_name: str
    threshold: float = Field(ge=0, le=1, description="On the probability of the class.")
    rounded: bool = Field(
        description="Whether it was chosen on probabilities kept as float16, to about three digits."
    )
    rule: str = RULE
    wanted: Wanted
    expected: AtThreshold = Field(
        description="On the images that it was chosen on, which flatters it a little."
    )
    curve: tuple[CurvePoint, ...] = Field(
        description="Of precision against recall, highest threshold first; support is "
        "expected.recall.n."
    )
    model_fingerprint: str
    dataset_version: str
    targets_digest: str
    evaluation: str

    def as_threshold(self, class_index: int) -> ClassThreshold:
        """What is to be checked in a dataset where the class has this index."""
        return ClassThreshold(class_index=class_index, threshold=self.threshold, wanted=self.wanted)


@dataclass(frozen=True, slots=True)
class Unreachable:
    """No threshold reaches what is wanted, and why."""

    sentence: str


def operating_point(
    scoring: Scoring, scores: ClassScores, wanted: Wanted
) -> OperatingPoint | Unreachable:
    """The threshold that reaches what is wanted with the best other value (``choose``)."""
    index = scores.class_index
    curve = list(scores.curve())
    chosen = choose(curve, scores.support, wanted)
    if chosen is None:
        return Unreachable(_why_not(scoring.class_names[index], curve, scores.support, wanted))
    return OperatingPoint(
        pair=scoring.pair,
        class_index=index,
        class_id=scoring.class_ids[index],
        class_name=scoring.class_names[index],
        threshold=chosen.threshold,
        rounded=scores.rounded,
        wanted=wanted,
        expected=scores.at(chosen.threshold, wanted.confidence),
        curve=_thinned(curve),
        model_fingerprint=scoring.model_fingerprint,
        dataset_version=scoring.dataset_version,
        targets_digest=scoring.targets_digest,
        evaluation=scoring.evaluation,
    )


def read_operating_point(file: Path) -> OperatingPoint:
    """The point that ``nightmark operating-point --to`` wrote. Raises InputError."""
    try:
        return OperatingPoint.from_json(file.read_bytes(), str(file))
    except OSError as error:
        raise InputError(f"operating point {file}: {error.strerror}") from error
    except ShardError as error:
        raise InputError(
            f"{file} is no operating point; `nightmark operating-point … --to FILE` writes one "
            f"({error})"
        ) from error


def thresholds_for(
    files: Sequence[Path], pair: PairName, classes: ClassList, pairs: Sequence[PairName]
) -> tuple[ClassThreshold, ...]:
    """What is to be checked of a pair: the points in the files that are of it.

    Raises:
        InputError: unreadable, of none of the ``pairs`` there are, of a class that the dataset has
            not, or two are of the same class.
    """
    found: dict[str, ClassThreshold] = {}
    for file in files:
        point = read_operating_point(file)
        if point.pair.name not in pairs:
            raise InputError(
                f"operating point {file}: it is of {point.pair}, which is no pair of the plan; "
                f"remove it from `operating_points`, or evaluate that pair"
            )
        if point.pair.name != pair:
            continue
        if point.class_id not in classes.ids:
            raise InputError(f"operating point {file}: {pair} has no class {point.class_id}")
        if point.class_id in found:
            raise InputError(
                f"operating point {file}: another file has one of {point.class_name} for {pair}; "
                f"keep one of them"
            )
        found[point.class_id] = point.as_threshold(classes.ids.index(point.class_id))
    return tuple(found.values())


def _why_not(name: str, curve: Sequence[CurvePoint], support: int, wanted: Wanted) -> str:
    goal = f"a {wanted.metric} of {figure(wanted.metric, wanted.value)}"
    if support == 0:
        return f"No threshold can be chosen: the dataset has no image of {name} that was predicted."
    verb = "is shown to reach" if wanted.proven else "reaches"
    said = f"No threshold {verb} {goal} for {name}"
    images = counted(support, "image")
    if wanted.metric == "recall":
        low, _ = wilson(support, support, wanted.confidence)
        return (
            f"{said}: {images} of it, all found, would prove only {figure('recall', low)}. "
            f"Evaluate on more images of it, or ask for less."
        )
    best = max(curve, key=lambda point: _strength(point, wanted))
    low, _ = wilson(best.hits, best.called, wanted.confidence)
    share = f"{best.hits:,} of {best.called:,}, at threshold {best.threshold:.6g}"
    proof = f", which proves only {figure('precision', low)}" if wanted.proven else ""
    precision = figure("precision", best.hits / best.called)
    return f"{said}: the best is {precision} ({share}){proof}."


def _strength(point: CurvePoint, wanted: Wanted) -> float:
    if wanted.proven:
        return wilson(point.hits, point.called, wanted.confidence)[0]
    return point.hits / point.called


def _thinned(curve: Sequence[CurvePoint]) -> tuple[CurvePoint, ...]:
    """The first, the last, and an even choice of those between."""
    if len(curve) <= KEPT_POINTS:
        return tuple(curve)
    step = (len(curve) - 1) / (KEPT_POINTS - 1)
    return tuple(curve[round(place * step)] for place in range(KEPT_POINTS))
