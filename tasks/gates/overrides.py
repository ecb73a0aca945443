"""What persons accepted although it failed, beside the verdict that it does not change."""

from collections.abc import Sequence
from datetime import datetime

from shards.store import Store
from tasks.gates.decisions import read_decisions
from tasks.night import Outcome

Notes = dict[str, tuple[str, ...]]
"""``str(pair)`` → sentences."""


def override_notes(store: Store, outcomes: Sequence[Outcome], now: datetime) -> Notes:
    """A sentence per override of a failed evaluation, also of those that hold no more.

    Raises:
        ShardError: a decision is unreadable.
    """
    found: Notes = {}
    for outcome in outcomes:
        if outcome.state != "failed" or outcome.evaluation is None:
            continue
        known = read_decisions(store, outcome.pair.name)
        notes = tuple(
            f"Accepted although it failed ({'; '.join(decision.gates)}): "
            f"{known.sentence(decision, now)}. The verdict stays failed."
            for decision in known
            if decision.kind == "override" and decision.evaluation == outcome.evaluation
        )
        if notes:
            found[str(outcome.pair)] = notes
    return found
