"""What passed is held until a person approves or declines it: the question, and the decision."""

from datetime import datetime

from shards.errors import InputError
from shards.store import Store
from tasks.gates.decisions import Decision, Decisions, new_id, read_decisions
from tasks.gates.promotion import proposed_promotion
from tasks.layout import PairName
from tasks.night import Night, Outcome


def held_promotion(
    outcome: Outcome, night: Night, decisions: Decisions, now: datetime
) -> Decision | None:
    """The promotion that a person may still approve: none where a later night was promoted."""
    newest = decisions.standing("promote")[-1:]
    if any(decision.night is not None and decision.night > night.name for decision in newest):
        return None
    return proposed_promotion(outcome, night, decisions, now)


def promotions(store: Store, night: Night, now: datetime) -> tuple[Decision, ...]:
    """The promotions that wait for a person after a night whose plan has it so.

    Raises:
        ShardError: the decisions of a pair are unreadable.
    """
    if night.promotion != "approval":
        return ()
    found = (
        held_promotion(outcome, night, read_decisions(store, outcome.pair.name), now)
        for outcome in night.outcomes
    )
    return tuple(decision for decision in found if decision is not None)


def passed_in(night: Night, pair: PairName) -> Outcome:
    """The outcome of a pair that passed a night.

    Raises:
        InputError: it was not in the night, did not pass it, or was looked at quickly.
    """
    for outcome in night.outcomes:
        if outcome.pair.name == pair:
            if outcome.state == "passed" and night.quick is None:
                return outcome
            quick = "" if night.quick is None else ", in a quick look"
            raise InputError(
                f"{pair} is {outcome.state} in night {night.name}{quick}; only what passed a full "
                f"night is approved"
            )
    raise InputError(f"night {night.name} did not evaluate {pair}")


def question(night: Night, outcome: Outcome, page: str) -> str:
    """What a person reads before deciding, as Markdown; ``page`` is where the report lies."""
    if outcome.comparison is None:
        against = "Nothing was there to compare it with: it would be the first baseline."
    else:
        against = outcome.comparison.sentence
    asked = (
        f"To approve makes the evaluation {outcome.evaluation} the baseline of its pair, to "
        "decline leaves the baseline as it is. Either is recorded, with who and why."
    )
    return "\n\n".join(
        (
            f"**{outcome.pair}** passed every gate that counts in the night {night.name}.",
            outcome.message,
            against,
            asked,
            f"Report: `{page}`",
        )
    )


def answered(proposal: Decision, *, approved: bool, who: str, why: str, now: datetime) -> Decision:
    """A person's decision about a promotion that nightmark proposed."""
    return proposal.model_copy(
        update={
            "id": new_id(now),
            "kind": "promote" if approved else "decline",
            "time": now,
            "who": who,
            "why": why,
        }
    )
