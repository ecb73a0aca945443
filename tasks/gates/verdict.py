"""A verdict: what became of one gate, and of all of them together."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from tasks.gates.gate import Gate
from tasks.gates.sentences import VerdictState
from tasks.metrics.change import Change
from tasks.metrics.metric import Metric

ORDER: tuple[VerdictState, ...] = ("failed", "inconclusive", "passed")
"""Of several states the first of these counts."""
SHOWN = 10
"""So many classes or slices stand as evidence, the worst first."""


class Verdict(BaseModel):
    """What became of one gate, and the figures that decided it, the worst first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gate: Gate
    state: VerdictState
    sentence: str
    evidence: tuple[Metric, ...]
    changes: tuple[Change, ...] = Field(
        default=(), description="The evidence of a gate on the change against the baseline."
    )
    judged: int = Field(description="Figures that were judged (one per class, or per slice).")
    failing: int = Field(description="How many of them failed.")


def overall_state(verdicts: Sequence[Verdict]) -> VerdictState:
    """One state for all gates that can fail: failed before inconclusive before passed.

    Without any applicable gate nothing was required, so nothing is proven: ``inconclusive``.
    """
    states = {v.state for v in verdicts if v.gate.severity == "fail"}
    return next((state for state in ORDER if state in states), "inconclusive")
