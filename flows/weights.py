"""Weights that lie elsewhere, brought to hand once for all that a flow does with them."""

from collections.abc import Iterable, Mapping

from conf.plan import Plan
from shards.errors import NightmarkError
from shards.store import Store
from tasks.fetch_weights import fetch_weights
from tasks.layout import PairName
from tasks.weights.address import Address
from tasks.weights.kept import Fetched

WeightsAtHand = Mapping[str, Fetched | NightmarkError]
"""By model, but for those with a local path; or why they cannot be had."""


def weights_of(plan: Plan, model: str) -> Fetched | None:
    """Those of a model as they are now; None if the plan gives a local path.

    Raises:
        ModelError: they cannot be had.
        StoreError: they cannot be kept.
    """
    spec = plan.model(model)
    if not isinstance(spec.weights, Address):
        return None
    return fetch_weights(Store.at(plan.runtime.root), spec)


def weights_at_hand(plan: Plan, pairs: Iterable[PairName]) -> WeightsAtHand:
    """Those of all models of the pairs as they are now."""
    found: dict[str, Fetched | NightmarkError] = {}
    for model in dict.fromkeys(pair.model for pair in pairs):
        try:
            fetched = weights_of(plan, model)
        except NightmarkError as error:
            found[model] = error
        else:
            if fetched is not None:
                found[model] = fetched
    return found
