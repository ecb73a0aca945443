"""Gates on the change against the baseline, judged on the paired interval of the difference."""

import math
from collections.abc import Sequence
from functools import partial

from tasks.gates.baseline import Reference
from tasks.gates.deciding import Bound, worst_of
from tasks.gates.gate import Gate
from tasks.gates.sentences import (
    Judged,
    VerdictState,
    change_sentence,
    class_change_sentence,
)
from tasks.gates.subjects import class_indices
from tasks.gates.verdict import ORDER, SHOWN, Verdict
from tasks.metrics.change import Change
from tasks.metrics.comparison import Comparison
from tasks.metrics.intervals import Interval
from tasks.metrics.scoring import Scoring
from tasks.metrics.words import LOSSES, metric_title


def judge_change(gate: Gate, scoring: Scoring, reference: Reference | None) -> Verdict:
    """The verdict of a gate on a change.

    Without a baseline it is not applicable. With one that cannot be compared it is inconclusive,
    so that nothing is promoted by it. A candidate that is its own baseline changed by exactly 0.

    Raises:
        ValueError: the gate names a foreign or unclear class.
    """
    of = str(scoring.pair)
    wanted = class_indices(gate, scoring.classes, of) if gate.per_class else frozenset()
    if reference is None:
        return _told(
            gate,
            "not_applicable",
            f"There is no baseline of {scoring.pair} yet, so that {metric_title(gate.metric)} "
            f"{gate.demand} cannot be judged. What passes the other gates becomes the baseline, "
            f"or `nightmark pin` names one.",
        )
    note = reference.note
    if reference.comparison is None:
        if note.state == "impossible":
            return _told(gate, "inconclusive", note.sentence)
        state: VerdictState = "passed" if (gate.least_gain or 0.0) <= 0 else "failed"
        met = "met" if state == "passed" else "missed"
        return _told(gate, state, f"{note.sentence} Required: {gate.demand}; that is {met}.")
    if not gate.per_class:
        return _overall(gate, reference.comparison)
    changes = [c for c in reference.comparison.per_class if c.class_index in wanted]
    return _of_classes(gate, changes, wanted, scoring)


def _told(gate: Gate, state: VerdictState, sentence: str) -> Verdict:
    failing = int(state == "failed")
    return Verdict(
        gate=gate, state=state, sentence=sentence, evidence=(), judged=0, failing=failing
    )


def _overall(gate: Gate, comparison: Comparison) -> Verdict:
    change = comparison.change(gate.metric)
    if change is None:
        change = Change(metric=gate.metric, state="no_samples", n=0)
    state = _state(gate, change, judged=1)
    return Verdict(
        gate=gate,
        state=state,
        sentence=change_sentence(change, state, gate.demand),
        evidence=(),
        changes=(change,),
        judged=1,
        failing=int(state == "failed"),
    )


def _of_classes(
    gate: Gate, changes: Sequence[Change], wanted: frozenset[int], scoring: Scoring
) -> Verdict:
    judged = list(changes)
    if gate.classes is not None:
        # A class that someone named must be judged, though no image of it can be compared.
        missing = sorted(wanted - {change.class_index for change in changes})
        judged += [
            Change(metric=gate.metric, class_index=index, state="no_samples", n=0)
            for index in missing
        ]
    states = [_state(gate, change, max(len(judged), 1)) for change in judged]
    # There is a baseline, so what cannot be compared with it is not proven.
    state = worst_of(states or ["inconclusive"])
    ranked = sorted(
        zip(states, judged, strict=True),
        key=lambda pair: (ORDER.index(pair[0]), _gain(pair[1])),
    )
    shown = 1 if gate.scope == "worst_class" else SHOWN
    worst = tuple(change for _, change in ranked[:shown])
    is_measured = bool(worst) and worst[0].difference is not None
    counts = Judged(len(judged), states.count(state), left_out=0, is_measured=is_measured)
    return Verdict(
        gate=gate,
        state=state,
        sentence=class_change_sentence(worst, state, scoring.classes, gate.demand, counts),
        evidence=(),
        changes=worst,
        judged=len(judged),
        failing=states.count("failed"),
    )


def _state(gate: Gate, change: Change, judged: int) -> VerdictState:
    if change.difference is None or change.baseline is None or gate.least_gain is None:
        return "inconclusive"
    # The baseline's value counts as known: the interval is that of the difference alone.
    scale = change.baseline if gate.relative else 1.0
    bound = Bound(gate.least_gain * scale, None, gate.effective_policy, gate.confidence)
    return bound.decide(_gain(change), partial(_gain_interval, change), judged)


def _gain(change: Change) -> float:
    """By how much the candidate is better."""
    if change.difference is None:
        return -math.inf
    return -change.difference if change.metric in LOSSES else change.difference


def _gain_interval(change: Change, confidence: float) -> Interval | None:
    interval = change.interval(confidence)
    if interval is None or change.metric not in LOSSES:
        return interval
    return -interval[1], -interval[0]
