"""One figure against its bounds: passed, failed or inconclusive.

Policies:
    ``proven``: passed if the whole interval is on the right side of the bound, failed if the whole
        interval is on the wrong side, else inconclusive.
    ``not_disproven``: failed if the whole interval is on the wrong side, else passed.
    ``point``: the value alone decides.

Where one of many figures could fail by chance, the interval that fails one is widened after
Bonferroni (confidence 1 − α/m over m figures). To prove that *every* one is good enough needs no
such correction: it is an intersection-union test (Berger 1982).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tasks.gates.sentences import Policy, VerdictState
from tasks.gates.verdict import ORDER
from tasks.metrics.intervals import Interval


@dataclass(frozen=True, slots=True)
class Bound:
    """Where a figure must lie; a bound that is just met is met."""

    low: float | None
    high: float | None
    policy: Policy
    confidence: float

    def decide(
        self, value: float, interval: Callable[[float], Interval | None], judged: int
    ) -> VerdictState:
        """The state of one of so many ``judged`` figures; ``interval`` gives it at a confidence."""
        if self.policy == "point":
            return "passed" if self._holds(value, value) else "failed"
        strict = interval(1 - (1 - self.confidence) / judged)
        if strict is not None and self._excludes(*strict):
            return "failed"
        if self.policy == "not_disproven":
            return "passed"
        plain = interval(self.confidence)
        return "passed" if plain is not None and self._holds(*plain) else "inconclusive"

    def _holds(self, low: float, high: float) -> bool:
        return (self.low is None or low >= self.low) and (self.high is None or high <= self.high)

    def _excludes(self, low: float, high: float) -> bool:
        return (self.low is not None and high < self.low) or (
            self.high is not None and low > self.high
        )


def worst_of(states: Sequence[VerdictState]) -> VerdictState:
    """Failed before inconclusive before passed; of none, not applicable."""
    return next((state for state in ORDER if state in states), "not_applicable")
