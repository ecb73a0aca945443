"""Verb: a new evaluation against the baseline of its pair."""

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from shards.store import Store
from tasks.gates.against import against_baseline
from tasks.gates.baseline import Reference
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
