"""What a candidate is compared with, as the gates and the night's record know it."""

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from tasks.metrics.change import Change
from tasks.metrics.comparison import Comparison
from tasks.metrics.comparison_words import change_text
from tasks.metrics.words import figure
from tasks.records import Pair

BaselineState = Literal["compared", "unchanged", "impossible", "before"]


class AgainstBaseline(BaseModel):
    """A comparison with the baseline as a night remembers it; the whole lies under ``comparison``.

    ``unchanged``: the candidate is the very evaluation that is the baseline. ``impossible``: there
    is a baseline, and it cannot be compared; the sentence says why. ``before``: there is none, and
    this is what was evaluated before; no gate is judged on it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: BaselineState
    baseline: Pair
    evaluation: str = Field(description="The baseline's.")
    decision: str = Field(description="Which decision made it the baseline; empty where none did.")
    comparison: str | None = None
    top1: Change | None = None
    churn: float | None = None
    sentence: str


@dataclass(frozen=True)
class Reference:
    """The baseline of a pair, compared with its candidate where that is possible."""

    note: AgainstBaseline
    comparison: Comparison | None = None


def compared_with(comparison: Comparison, decision: str) -> Reference:
    """The reference of a comparison that was made."""
    note = _note(comparison, "compared", "the baseline", decision)
    return Reference(note, comparison)


def compared_before(comparison: Comparison) -> AgainstBaseline:
    """The note of a comparison with what was evaluated before, where there is no baseline."""
    return _note(comparison, "before", "what was evaluated before, as there is no baseline:", "")


def _note(
    comparison: Comparison, state: BaselineState, what: str, decision: str
) -> AgainstBaseline:
    side = comparison.baseline
    change = comparison.change("top1")
    said = "nothing could be compared" if change is None else f"top-1 {change_text(change)}"
    churn = comparison.churn.value
    if churn is not None:
        said += f"; the first prediction changed on {figure('churn', churn)} of the images"
    elsewhere = "" if comparison.paired else "; the dataset changed, so images are not the same"
    return AgainstBaseline(
        state=state,
        baseline=side.pair,
        evaluation=side.evaluation,
        decision=decision,
        comparison=comparison.id,
        top1=change,
        churn=churn,
        sentence=f"Against {what} {_named(side.pair, side.evaluation)}: {said}{elsewhere}.",
    )


def unchanged(pair: Pair, evaluation: str, decision: str) -> Reference:
    """The reference of a candidate that is its own baseline."""
    said = f"Unchanged: this is the baseline {_named(pair, evaluation)} itself."
    note = AgainstBaseline(
        state="unchanged", baseline=pair, evaluation=evaluation, decision=decision, sentence=said
    )
    return Reference(note)


def impossible(pair: Pair, evaluation: str, decision: str, why: str) -> Reference:
    """The reference of a baseline that cannot be compared."""
    said = (
        f"The baseline {_named(pair, evaluation)} cannot be compared: {why}. "
        f"`nightmark pin` names another one, `nightmark revoke` drops it."
    )
    note = AgainstBaseline(
        state="impossible", baseline=pair, evaluation=evaluation, decision=decision, sentence=said
    )
    return Reference(note)


def _named(pair: Pair, evaluation: str) -> str:
    return f"{pair.model} ({evaluation})"
