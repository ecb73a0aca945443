"""Whether a model is still what it was when a pair was last evaluated."""

from typing import Literal

from shards.store import Store
from tasks.layout import PairName
from tasks.stored import full_nights, read_evaluation

Since = Literal["unchanged", "changed", "never evaluated"]


def since_last_evaluation(store: Store, pair: PairName, fingerprint: str) -> tuple[Since, str]:
    """The state of a model version, and the night or evaluation that it was compared with.

    The newest night that evaluated the pair counts. Evaluations outside of nights hold no time: of
    those, one of this version suffices. Quick looks do not count.

    Raises:
        ShardError: a record is unreadable.
    """
    for night in full_nights(store):
        for outcome in night.outcomes:
            if outcome.pair.name == pair and outcome.fingerprint:
                same = outcome.fingerprint == fingerprint
                return ("unchanged" if same else "changed"), f"night {night.name}"
    folder = pair.evaluation("x").rpartition("/")[0]
    names = [name.removesuffix(".json") for name in store.names(folder) if name.endswith(".json")]
    stored = [read_evaluation(store, pair, name) for name in names]
    whole = [evaluation for evaluation in stored if evaluation.quick is None]
    for evaluation in whole:
        if evaluation.model_fingerprint == fingerprint:
            return "unchanged", f"evaluation {evaluation.id}"
    return ("changed", f"evaluation {whole[-1].id}") if whole else ("never evaluated", "")
