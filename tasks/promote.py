"""Verb: what passed in a published night → decisions that make it the baseline."""

from datetime import UTC, datetime

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from shards.errors import ShardError
from shards.store import Store
from tasks.gates.decisions import Decision, read_decisions, record
from tasks.gates.promotion import automatic_promotion
from tasks.night import Night
from tasks.stored import newest_night


@task(name="promote", task_run_name="promote {night.name}", cache_policy=NO_CACHE)
def promote_passed(store: Store, night: Night) -> tuple[Decision, ...]:
    """Promote the pairs that passed, if the night's plan lets nightmark do so; harmless twice.

    A pair whose decisions are unreadable is left as it is, and logged.
    """
    made = []
    for outcome in night.outcomes if night.promotion == "automatic" else ():
        try:
            decisions = read_decisions(store, outcome.pair.name)
        except ShardError as error:
            get_run_logger().warning("%s is not promoted: %s", outcome.pair, error)
            continue
        decision = automatic_promotion(outcome, night, decisions, datetime.now(UTC))
        if decision is not None:
            record(store, decision)
            get_run_logger().info("%s: %s is the baseline now", outcome.pair, decision.evaluation)
            made.append(decision)
    return tuple(made)


def promote_what_was_left(store: Store, plan: str) -> None:
    """Promote what passed in the plan's newest night, had it been cut off before it could."""
    try:
        night = newest_night(store, plan)
    except ShardError as error:
        get_run_logger().warning("what an earlier night left is not promoted: %s", error)
        return
    if night is not None:
        promote_passed(store, night)
