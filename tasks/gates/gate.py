"""Gates and verdicts: a requirement, and whether a scoring meets it, judged on the interval.

Policies:
    ``proven``: passed if the whole interval is on the right side of the bound, failed if the whole
        interval is on the wrong side, else inconclusive.
    ``not_disproven``: failed if the whole interval is on the wrong side, else passed.
    ``point``: the value alone decides.

Where one of many classes could fail by chance, the interval that fails a class is widened after
Bonferroni (confidence 1 − α/m over m classes). To prove that *every* class is good enough needs no
such correction: it is an intersection-union test (Berger 1982).
"""

import math
from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tasks.gates.sentences import (
    Demand,
    Judged,
    Policy,
    VerdictState,
    class_sentence,
    overall_sentence,
)
from tasks.metrics.intervals import CONFIDENCE
from tasks.metrics.metric import Metric
from tasks.metrics.scoring import Scoring
from tasks.metrics.summary import CLASS_NAMES, OVERALL_NAMES, UNCOUNTED, is_overall
from tasks.metrics.words import LOSSES, metric_title

SHOWN_CLASSES = 10
ORDER: tuple[VerdictState, ...] = ("failed", "inconclusive", "passed")
"""Of several states the first of these counts."""


class Gate(BaseModel):
    """A requirement on one metric: overall, of each class, or of the classes named."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str = Field(description=f"One of {', '.join((*OVERALL_NAMES, *CLASS_NAMES))}.")
    scope: Literal["overall", "each_class"] = "overall"
    classes: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="Class ids or unique names; then only these are judged.",
    )
    min: float | None = None
    max: float | None = None
    policy: Policy | None = Field(
        default=None, description="Default: proven; for each_class, not_disproven."
    )
    confidence: Annotated[float, Field(gt=0, lt=1)] = CONFIDENCE
    severity: Literal["fail", "warn"] = "fail"
    datasets: tuple[str, ...] | None = Field(default=None, description="Only on these datasets.")
    models: tuple[str, ...] | None = Field(default=None, description="Only for these models.")

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("a gate needs `min` or `max`")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        top = math.inf if self.metric in LOSSES else 1.0
        for bound in (self.min, self.max):
            if bound is not None and not (math.isfinite(bound) and 0 <= bound <= top):
                limits = "at least 0" if self.metric in LOSSES else "a share between 0 and 1"
                raise ValueError(f"the bound {bound} must be {limits}")
        names = CLASS_NAMES if self.per_class else OVERALL_NAMES
        known = self.metric in names or (not self.per_class and is_overall(self.metric))
        if not known:
            raise ValueError(f"{self.metric!r} is no such metric; allowed here: {', '.join(names)}")
        if self.confidence != CONFIDENCE and self.metric in UNCOUNTED:
            raise ValueError(
                f"{self.metric} has its interval at {CONFIDENCE} only; leave out `confidence`"
            )
        return self

    @property
    def per_class(self) -> bool:
        return self.scope == "each_class" or self.classes is not None

    @property
    def effective_policy(self) -> Policy:
        default: Policy = "not_disproven" if self.scope == "each_class" else "proven"
        return self.policy or default

    @property
    def demand(self) -> Demand:
        return Demand(self.metric, self.min, self.max, self.effective_policy, self.confidence)

    def applies_to(self, dataset: str, model: str) -> bool:
        return (self.datasets is None or dataset in self.datasets) and (
            self.models is None or model in self.models
        )

    def __str__(self) -> str:
        scope = "overall" if not self.per_class else "of each class"
        if self.classes is not None:
            scope = f"of {', '.join(self.classes)}"
        return f"{metric_title(self.metric)} {scope} {self.demand}"


class Verdict(BaseModel):
    """What became of one gate, and the metrics that decided it, the worst first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gate: Gate
    state: VerdictState
    sentence: str
    evidence: tuple[Metric, ...]
    judged: int = Field(description="Metrics that were judged (classes, for a gate on classes).")
    failing: int = Field(description="How many of them failed.")


def judge(gate: Gate, scoring: Scoring) -> Verdict:
    """Whether the scoring meets the gate.

    Raises:
        ValueError: the gate names a class that the dataset does not have, or has twice.
    """
    if not gate.per_class:
        metric = scoring.metric(gate.metric)
        state = _state(gate, metric, correction=1)
        return Verdict(
            gate=gate,
            state=state,
            sentence=overall_sentence(metric, state, gate.demand),
            evidence=(metric,),
            judged=1,
            failing=int(state == "failed"),
        )
    wanted = _class_indices(gate, scoring)
    metrics = [m for m in scoring.per_class if m.name == gate.metric and m.class_index in wanted]
    return _judge_classes(gate, metrics, scoring)


def overall_state(verdicts: Sequence[Verdict]) -> VerdictState:
    """One state for all gates that can fail: failed before inconclusive before passed.

    Without any applicable gate nothing was required, so nothing is proven: ``inconclusive``.
    """
    states = {v.state for v in verdicts if v.gate.severity == "fail"}
    return next((state for state in ORDER if state in states), "inconclusive")


def _judge_classes(gate: Gate, metrics: list[Metric], scoring: Scoring) -> Verdict:
    # A class that someone named must be judged; in "each class" an absent one is left out.
    named = gate.classes is not None
    judged = [m for m in metrics if named or m.state in ("defined", "infinite")]
    correction = max(len(judged), 1)
    states = [_state(gate, metric, correction) for metric in judged]
    state: VerdictState = next((s for s in ORDER if s in states), "not_applicable")
    ranked = sorted(zip(states, judged, strict=True), key=lambda pair: _badness(gate, *pair))
    evidence = tuple(metric for _, metric in ranked[:SHOWN_CLASSES])
    counts = Judged(len(judged), states.count(state), left_out=len(metrics) - len(judged))
    return Verdict(
        gate=gate,
        state=state,
        sentence=class_sentence(evidence, state, scoring.classes, gate.demand, counts),
        evidence=evidence,
        judged=len(judged),
        failing=states.count("failed"),
    )


def _state(gate: Gate, metric: Metric, correction: int) -> VerdictState:
    if metric.state == "infinite":
        return "failed" if gate.max is not None else "passed"
    if metric.value is None:
        return "inconclusive"
    if gate.effective_policy == "point":
        return "passed" if _within(gate, metric.value, metric.value) else "failed"
    alpha = 1 - gate.confidence
    strict = metric.interval(1 - alpha / correction)
    if strict is not None and _outside(gate, *strict):
        return "failed"
    if gate.effective_policy == "not_disproven":
        return "passed"
    plain = metric.interval(gate.confidence)
    return "passed" if plain is not None and _within(gate, *plain) else "inconclusive"


def _within(gate: Gate, low: float, high: float) -> bool:
    return (gate.min is None or low >= gate.min) and (gate.max is None or high <= gate.max)


def _outside(gate: Gate, low: float, high: float) -> bool:
    return (gate.min is not None and high < gate.min) or (gate.max is not None and low > gate.max)


def _badness(gate: Gate, state: VerdictState, metric: Metric) -> tuple[int, float]:
    if metric.value is None:
        return ORDER.index(state), math.inf
    return ORDER.index(state), metric.value if gate.min is not None else -metric.value


def _class_indices(gate: Gate, scoring: Scoring) -> set[int]:
    if gate.classes is None:
        return set(range(len(scoring.class_ids)))
    found: set[int] = set()
    for wanted in gate.classes:
        named = [i for i, name in enumerate(scoring.class_names) if name == wanted]
        indices = [i for i, key in enumerate(scoring.class_ids) if key == wanted] or named
        if len(indices) != 1:
            fault = "is no class of" if not indices else "names several classes of"
            raise ValueError(f"gate {gate}: {wanted!r} {fault} {scoring.pair}; use the class id")
        found.update(indices)
    return found
