"""Verb: weights that lie elsewhere → a local copy of the version that is there now."""

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from shards.store import Store
from tasks.models.spec import ModelSpec
from tasks.weights.kept import Fetched, fetch


@task(name="fetch-weights", task_run_name="fetch weights of {spec.name}", cache_policy=NO_CACHE)
def fetch_weights(store: Store, spec: ModelSpec) -> Fetched | None:
    """What is there already is not fetched again; None where the plan gives a local path.

    Raises:
        ModelError: they cannot be had.
        StoreError: they cannot be kept.
    """
    fetched = fetch(store, spec)
    if fetched is not None:
        get_run_logger().info("model %s: weights from %s", spec.name, fetched.origin)
    return fetched
