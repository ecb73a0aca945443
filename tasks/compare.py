"""Verb: a new evaluation against the baseline of its pair."""

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from shards.store import Store
from tasks.gates.against import against_baseline, against_version_before
from tasks.gates.baseline import AgainstBaseline, Reference
from tasks.metrics.scoring import Scoring
from tasks.stored import StoredScoring, read_evaluation


@task(name="compare", task_run_name="compare {scoring.pair}", cache_policy=NO_CACHE)
def compare_with_baseline(store: Store, scoring: Scoring) -> Reference | None:
    """The comparison with the baseline, published; None where the pair has no baseline."""
    evaluation = read_evaluation(store, scoring.pair.name, scoring.evaluation)
    reference = against_baseline(store, StoredScoring(evaluation, scoring))
    if reference is not None:
        get_run_logger().info("%s", reference.note.sentence)
    return reference


@task(name="compare-before", task_run_name="compare {scoring.pair}", cache_policy=NO_CACHE)
def compare_with_version_before(store: Store, scoring: Scoring) -> AgainstBaseline | None:
    """Where the pair has no baseline: the comparison with what was evaluated before, published."""
    evaluation = read_evaluation(store, scoring.pair.name, scoring.evaluation)
    return against_version_before(store, StoredScoring(evaluation, scoring))
