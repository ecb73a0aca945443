"""An evaluation: which prediction files make up a result. Written when they are all there."""

import hashlib
from typing import Literal

from pydantic import Field

from shards.reader import ShardedSplit
from tasks.models.spec import Numerics, ResolvedModel
from tasks.predictions.store import PredictionStore
from tasks.records import Pair, Record

ID_DIGITS = 16


class Evaluation(Record):
    """Dataset version x model version x numerics, and the files of predictions, one per shard."""

    schema_name: Literal["nightmark.evaluation"] = "nightmark.evaluation"
    schema_version: Literal[1] = 1
    id: str
    pair: Pair
    dataset_version: str
    images_digest: str
    targets_digest: str
    shards_folder: str
    model_fingerprint: str
    model_loader: str
    preprocessing: str
    numerics: Numerics
    run: str
    predictions: tuple[str, ...] = Field(description="Paths under the artifact root, in order.")


def evaluation_id(dataset_version: str, fingerprint: str, numerics: Numerics) -> str:
    """Names an evaluation by what it is of; known before it is made."""
    identity = f"{dataset_version} {fingerprint} {numerics.canonical_json()}"
    return "e" + hashlib.sha256(identity.encode()).hexdigest()[:ID_DIGITS]


def compose_evaluation(
    split: ShardedSplit, model: ResolvedModel, numerics: Numerics, predictions: PredictionStore
) -> Evaluation:
    """The record of a finished evaluation; its id depends on content, not on place or time."""
    return Evaluation(
        id=evaluation_id(split.version, model.fingerprint, numerics),
        pair=Pair.of(predictions.pair),
        dataset_version=split.version,
        images_digest=split.manifest.digests.images,
        targets_digest=split.manifest.digests.targets,
        shards_folder=split.folder,
        model_fingerprint=model.fingerprint,
        model_loader=model.spec.loader,
        preprocessing=str(model.preprocessing),
        numerics=numerics,
        run=predictions.run,
        predictions=tuple(predictions.path(shard) for shard in split.shards()),
    )
