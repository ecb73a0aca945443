"""Verb: a scoring against the gates of the plan."""

from collections.abc import Sequence

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from shards.errors import InputError
from tasks.gates.baseline import Reference
from tasks.gates.gate import Gate
from tasks.gates.judging import judge
from tasks.gates.verdict import Verdict
from tasks.metrics.scoring import Scoring


@task(name="judge", task_run_name="judge {scoring.pair}", cache_policy=NO_CACHE)
def judge_scoring(
    scoring: Scoring, gates: Sequence[Gate], reference: Reference | None = None
) -> tuple[Verdict, ...]:
    """One verdict per gate, in order; ``reference`` is the baseline of the pair, if it has one.

    Raises:
        InputError: a gate names a class, a slice or a metric that the scoring does not have.
    """
    try:
        verdicts = tuple(judge(gate, scoring, reference) for gate in gates)
    except ValueError as error:
        raise InputError(str(error)) from error
    for verdict in verdicts:
        get_run_logger().info("%s: %s: %s", verdict.state, verdict.gate, verdict.sentence)
    return verdicts
