"""Evaluations, scorings and nights in a store, made of arrays of scores, as a real run leaves them.

For the tests of everything that reads what earlier runs left: no shards, no model, no Prefect.
"""

import hashlib
import io
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from shards.sample import ClassList
from shards.store import Store
from tasks.layout import NIGHT, PairName, SplitName, night_folder, shard_file
from tasks.metrics.spec import DEFAULT, ScoringSpec
from tasks.models.spec import Numerics
from tasks.night import Night, Outcome, Provenance, worst
from tasks.predictions.evaluation import Evaluation
from tasks.predictions.schema import Scored, prediction_rows, score_rows
from tasks.records import Pair
from tasks.stored import StoredScoring
from tasks.targets.overlay import OverlayCounts
from tasks.targets.rescoring import score_and_publish
from tasks.targets.retarget import Retargeted

EXACT = Numerics(precision="float32", decoder="pil", device_type="cpu")
EPOCH = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)


def pair_name(model: str, dataset: str = "made", split: str = "test") -> PairName:
    return PairName(SplitName(dataset, split), model)


def logits(
    targets: NDArray[np.int64], classes: int, skill: float, seed: int
) -> NDArray[np.float32]:
    """Random scores [n, classes] in which the target's is raised by ``skill``."""
    scores = np.random.default_rng(seed).normal(size=(len(targets), classes)).astype(np.float32)
    scores[np.arange(len(targets)), targets] += np.float32(skill)
    return scores


def store_evaluation(
    store: Store,
    pair: PairName,
    scores: NDArray[np.float32],
    targets: Sequence[int | None],
    *,
    version: str = "1",
    dataset_version: str = "d1",
    keys: Sequence[str] | None = None,
    errors: Sequence[str | None] | None = None,
    per_shard: int = 100,
    keep_scores: bool = True,
    quick: int | None = None,
    names: Sequence[str] | None = None,
    spec: ScoringSpec = DEFAULT,
) -> StoredScoring:
    """Write predictions, scores, evaluation and scoring of a model version; logits [n, classes]."""
    n, classes = scores.shape
    sample_keys = list(keys) if keys is not None else [f"{row:05d}" for row in range(n)]
    faults = list(errors) if errors is not None else [None] * n
    run = f"r{version}"
    paths, parts = [], []
    for start in range(0, n, per_shard):
        part = slice(start, start + per_shard)
        scored = Scored(
            sample_keys[part], list(targets)[part], scores[part], faults[part], "logits"
        )
        file = shard_file(hashlib.sha256(f"{dataset_version} {start}".encode()).hexdigest())
        rows = prediction_rows(scored)
        _publish(store, f"{pair.predictions(run)}/{file}", rows)
        if keep_scores:
            _publish(store, f"{pair.scores(run)}/{file}", score_rows(scored))
        paths.append(f"{pair.predictions(run)}/{file}")
        parts.append(Retargeted(rows, OverlayCounts()))
    labels = ",".join(map(str, targets)).encode()
    evaluation = Evaluation(
        id=f"e{pair.model}{version}{dataset_version}",
        pair=Pair.of(pair),
        dataset_version=dataset_version,
        images_digest=hashlib.sha256(",".join(sample_keys).encode()).hexdigest(),
        targets_digest=hashlib.sha256(labels).hexdigest(),
        shards_folder=f"{pair.split.shards('recipe')}",
        model_fingerprint=f"fingerprint-{version}",
        model_loader="module:made:up",
        preprocessing="as is",
        numerics=EXACT,
        run=run,
        predictions=tuple(paths),
        quick=quick,
    )
    ids = tuple(f"id{index:04d}" for index in range(classes))
    called = tuple(names) if names is not None else tuple(f"class {i}" for i in range(classes))
    class_list = ClassList(called, ids)
    scoring = score_and_publish(store, evaluation, class_list, parts, None, spec)
    store.publish(pair.evaluation(evaluation.id), evaluation.to_json())
    return StoredScoring(evaluation, scoring)


def store_night(store: Store, number: int, *outcomes: Outcome, **changes: object) -> Night:
    """Write the record of the ``number``-th night; nights are a day apart."""
    started = EPOCH + timedelta(days=number)
    night = Night(
        name=f"{started:%Y%m%dt%H%M%Sz}-n{number}",
        plan="made",
        plan_digest="p" * 64,
        started=started,
        finished=started + timedelta(minutes=5),
        state=worst([outcome.state for outcome in outcomes]),
        outcomes=outcomes,
        provenance=Provenance.here(("cpu:0",)),
    ).model_copy(update=changes)
    store.publish(f"{night_folder(night.name)}/{NIGHT}", night.to_json())
    return night


def outcome_of(stored: StoredScoring, **changes: object) -> Outcome:
    """A passed outcome of the pair, unless ``changes`` say otherwise."""
    facts = {
        "pair": stored.evaluation.pair,
        "state": "passed",
        "message": "1 gate met.",
        "scoring": stored.scoring.id,
        "evaluation": stored.evaluation.id,
        "fingerprint": stored.evaluation.model_fingerprint,
        "dataset_version": stored.evaluation.dataset_version,
    }
    return Outcome.model_validate({**facts, **changes})


def _publish(store: Store, path: str, table: object) -> None:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    store.publish(path, sink.getvalue())
