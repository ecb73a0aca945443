"""A store of evaluations to prune: what is done to it, and what is left of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from shards.store import Store
from tasks.gates.decisions import Decision, record
from tasks.layout import PRUNES, PairName
from tasks.retention.choosing import Choice, choose
from tasks.retention.pieces import take_stock
from tasks.retention.removing import remove
from tasks.retention.rules import Retention
from tasks.stored import (
    StoredScoring,
    prediction_tables,
    read_evaluation,
    score_tables,
)
from tests.support.stored import (
    EPOCH,
)

TARGETS = np.arange(12) % 3
MODELS = ("net", "old")
VERSIONS = ("1", "2", "3")
NEVER = Retention(newest=1, days=0, weeks=0, months=0, unused_days=0)
LATER = EPOCH + timedelta(days=400)
Key = tuple[str, str]


@dataclass(frozen=True)
class Template:
    """A store with an evaluation per model and version, and a comparison of each two of a model."""

    store: Store
    scored: dict[Key, StoredScoring]


def decide(store: Store, kind: str, number: int, stored: StoredScoring, model: str) -> Decision:
    time = EPOCH + timedelta(days=number)
    decision = Decision.model_validate(
        {
            "id": f"{time:%Y%m%dt%H%M%Sz}-{kind}",
            "kind": kind,
            "pair": stored.evaluation.pair.model_copy(update={"model": model}),
            "time": time,
            "who": "Ada",
            "why": "so",
            "evaluation": stored.evaluation.id,
            "scoring": stored.scoring.id,
            "evaluated": stored.evaluation.pair,
        }
    )
    record(store, decision)
    return decision


def prune(store: Store, rules: Retention = NEVER, now: datetime = LATER) -> Choice:
    choice = choose(store, rules, now)
    remove(store, choice, rules, "Ada")
    return choice


def paths(store: Store, folder: str = "") -> set[str]:
    return {file.path for file in store.files(folder) if not file.path.startswith(f"{PRUNES}/")}


def read_all(store: Store, pair: PairName, evaluation: str) -> None:
    found = read_evaluation(store, pair, evaluation)
    assert sum(table.num_rows for table in prediction_tables(store, found)) == len(TARGETS)
    assert sum(table.num_rows for table in score_tables(store, found)) == len(TARGETS)


def evaluations_left(store: Store) -> set[str]:
    return {piece.place.name for piece in take_stock(store).of_kind("evaluation")}
