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
    quick: int | None = Field(
        default=None, description="Of the first so many shards alone; null: of all of them."
    )


def evaluation_id(
    dataset_version: str, fingerprint: str, numerics: Numerics, quick: int | None = None
) -> str:
    """Names an evaluation by what it is of; known before it is made."""
    identity = f"{dataset_version} {fingerprint} {numerics.canonical_json()}"
    if quick is not None:
        identity += f" first {quick}"
    return "e" + hashlib.sha256(identity.encode()).hexdigest()[:ID_DIGITS]


def compose_evaluation(
    split: ShardedSplit, model: ResolvedModel, numerics: Numerics, predictions: PredictionStore
) -> Evaluation:
    """The record of a finished evaluation; its id depends on content, not on place or time."""
    return Evaluation(
        id=evaluation_id(split.version, model.fingerprint, numerics, split.cut_to),
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
        quick=split.cut_to,
    )


def part_alike(whole: Evaluation, quick: Evaluation) -> Evaluation:
    """The part of an evaluation that a quick look at the same shards, of any model, can meet.

    Of other shards, or where ``quick`` is none, it is the evaluation itself.
    """
    if quick.quick is None or whole.quick or whole.dataset_version != quick.dataset_version:
        return whole
    identity = (whole.dataset_version, whole.model_fingerprint, whole.numerics, quick.quick)
    return whole.model_copy(
        update={
            "id": evaluation_id(*identity),
            "images_digest": quick.images_digest,
            "targets_digest": quick.targets_digest,
            "predictions": whole.predictions[: quick.quick],
            "quick": quick.quick,
        }
    )
