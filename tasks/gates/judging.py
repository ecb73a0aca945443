"""Gate and scoring → verdict: the rule of ``deciding`` applied to what a gate is about."""

import math
from collections.abc import Sequence

from tasks.gates.baseline import Reference
from tasks.gates.change_judging import judge_change
from tasks.gates.deciding import Bound, worst_of
from tasks.gates.gate import Gate
from tasks.gates.sentences import Judged, VerdictState, class_sentence, overall_sentence
from tasks.gates.subjects import class_metrics, slice_metrics
from tasks.gates.verdict import ORDER, SHOWN, Verdict
from tasks.metrics.metric import Metric
from tasks.metrics.scoring import Scoring


def judge(gate: Gate, scoring: Scoring, reference: Reference | None = None) -> Verdict:
    """Whether the scoring meets the gate; ``reference`` is its baseline, if it has one.

    Raises:
        ValueError: the gate names a class, slice or metric that the scoring does not have, or a
            class that it has twice.
    """
    if gate.is_change:
        return judge_change(gate, scoring, reference)
    if gate.scope == "slice":
        return _judge_many(gate, slice_metrics(gate, scoring), scoring, gate.slices is not None)
    if gate.per_class:
        metrics = class_metrics(gate, scoring)
        return _judge_many(gate, metrics, scoring, gate.classes is not None)
    return _judge_overall(gate, scoring)


def _judge_overall(gate: Gate, scoring: Scoring) -> Verdict:
    try:
        metric = scoring.metric(gate.metric)
    except KeyError as error:
        raise ValueError(f"gate {gate}: {scoring.pair}: {error.args[0]}") from error
    state = _state(gate, metric, judged=1)
    sentence = overall_sentence(metric, state, gate.demand)
    if gate.bands is not None and metric.value is not None:
        interval = metric.interval(gate.confidence)
        sentence = f"{sentence} {gate.bands.sentence(metric.value, interval)}"
    return Verdict(
        gate=gate,
        state=state,
        sentence=sentence,
        evidence=(metric,),
        judged=1,
        failing=int(state == "failed"),
    )


def _judge_many(gate: Gate, metrics: Sequence[Metric], scoring: Scoring, is_named: bool) -> Verdict:
    # What someone named must be judged; of "each" an absent or too small one is left out.
    judged = [m for m in metrics if is_named or m.state in ("defined", "infinite")]
    states = [_state(gate, metric, max(len(judged), 1)) for metric in judged]
    # Where all are left out nothing is proven; where there is none, nothing was required.
    state = worst_of(states or ["inconclusive"] * bool(metrics))
    ranked = sorted(zip(states, judged, strict=True), key=lambda pair: _badness(gate, *pair))
    of = ("slice", "slices") if gate.scope == "slice" else ("class", "classes")
    shown = 1 if gate.scope == "worst_class" else SHOWN
    evidence = tuple(metric for _, metric in ranked[:shown])
    is_measured = bool(evidence) and evidence[0].value is not None
    left_out = len(metrics) - len(judged)
    counts = Judged(len(judged), states.count(state), left_out, of, is_measured)
    return Verdict(
        gate=gate,
        state=state,
        sentence=class_sentence(evidence, state, scoring.classes, gate.demand, counts),
        evidence=evidence,
        judged=len(judged),
        failing=states.count("failed"),
    )


def _state(gate: Gate, metric: Metric, judged: int) -> VerdictState:
    if metric.state == "infinite":
        return "failed" if gate.max is not None else "passed"
    if metric.value is None:
        return "inconclusive"
    bound = Bound(gate.min, gate.max, gate.effective_policy, gate.confidence)
    return bound.decide(metric.value, metric.interval, judged)


def _badness(gate: Gate, state: VerdictState, metric: Metric) -> tuple[int, float]:
    if metric.value is None:
        return ORDER.index(state), math.inf
    return ORDER.index(state), metric.value if gate.min is not None else -metric.value
