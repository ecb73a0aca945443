"""Whether a model is still what it was when a pair was last evaluated."""

from typing import Literal

from shards.store import Store
from tasks.layout import PairName
from tasks.stored import finished_nights, read_evaluation, read_record

Since = Literal["unchanged", "changed", "never evaluated"]


def since_last_evaluation(store: Store, pair: PairName, fingerprint: str) -> tuple[Since, str]:
    """The state of a model version, and the night or evaluation that it was compared with.

    The newest night that evaluated the pair counts. Evaluations outside of nights hold no time: of
    those, one of this version suffices.

    Raises:
        ShardError: a record is unreadable.
    """
    for night in reversed(finished_nights(store)):
        for outcome in read_record(store, night).outcomes:
            if outcome.pair.name == pair and outcome.fingerprint:
                same = outcome.fingerprint == fingerprint
                return ("unchanged" if same else "changed"), f"night {night}"
    folder = pair.evaluation("x").rpartition("/")[0]
    names = [name.removesuffix(".json") for name in store.names(folder) if name.endswith(".json")]
    for name in names:
        if read_evaluation(store, pair, name).model_fingerprint == fingerprint:
            return "unchanged", f"evaluation {name}"
    return ("changed", f"evaluation {names[-1]}") if names else ("never evaluated", "")
