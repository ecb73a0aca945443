"""Verb: a store and its rules → what goes; removed, if it shall be."""

from datetime import UTC, datetime

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from shards.store import Store
from tasks.retention.choosing import Choice
from tasks.retention.rules import Retention
from tasks.retention.words import sentences
from tasks.retention.work import prune as prune_store


@task(name="prune", cache_policy=NO_CACHE)
def prune(store: Store, rules: Retention, *, delete: bool) -> Choice:
    """Say what goes, and remove it only if ``delete`` is set.

    Raises:
        ShardError: a record is unreadable; nothing is removed then.
        StoreError: the store cannot be written.
    """
    choice = prune_store(store, rules, datetime.now(UTC), delete=delete)
    for sentence in sentences(choice, removed=delete):
        get_run_logger().info("%s", sentence)
    return choice
