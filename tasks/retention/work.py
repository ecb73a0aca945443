"""A whole prune: under a lease of its own, so that nothing begins that it does not know of."""

from datetime import datetime

from shards.store import Store
from tasks.leases import held, user_name
from tasks.report.pages import write_history
from tasks.retention.choosing import Choice, choose
from tasks.retention.removing import remove
from tasks.retention.rules import Retention


def prune(store: Store, rules: Retention, now: datetime, *, delete: bool) -> Choice:
    """What goes and what stays; ``delete`` removes the one, and else nothing is written.

    Raises:
        ShardError: a record is unreadable; nothing is removed then.
        StoreError: the store cannot be written.
    """
    if not delete:
        return choose(store, rules, now)
    with held(store, "prune", []):
        choice = choose(store, rules, now)
        if not choice.is_empty:
            remove(store, choice, rules, user_name())
        if any(reasoned.piece.place.kind == "night" for reasoned in choice.going):
            write_history(store)
    return choice
