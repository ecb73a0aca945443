"""One loaded model on one device: the samples of a shard in, their predictions out."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import cast

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from shards.errors import ModelError
from shards.reader import StoredSample
from tasks.models import load
from tasks.models.adapter import Adapter
from tasks.models.preprocess import UndecodableImageError, normalise, to_input
from tasks.models.spec import Numerics, ResolvedModel
from tasks.predictions.schema import Scored, check_output, prediction_rows, score_rows

PRECISIONS = {"bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class ShardPredictions:
    """What an engine made of one shard: rows by the schema, and full scores where kept."""

    predictions: pa.Table
    scores: pa.Table | None


@dataclass(frozen=True)
class Engine:
    """A model in memory. ``predict`` may be called again and again, by one thread at a time."""

    model: ResolvedModel
    adapter: Adapter
    numerics: Numerics
    device: torch.device

    @classmethod
    def load(cls, model: ResolvedModel, numerics: Numerics, device: str) -> "Engine":
        """Raises ModelError as ``tasks.models.load.load`` does."""
        target = torch.device(device)
        adapter = load.load(model).on(target)
        if adapter.module is not None:
            adapter.module.to(memory_format=torch.channels_last)
        return cls(model, adapter, numerics, target)

    def predict(
        self, samples: Iterable[StoredSample], classes: int, batch_size: int, decode_threads: int
    ) -> ShardPredictions:
        """Predictions in the order of the samples; an image that does not decode gets an error row.

        Raises:
            ModelError: the model has another number of outputs than ``classes``, returns NaN, or
                not what its spec declares; the message names the first key of the batch.
            ShardError: from reading the samples.
        """
        tables = []
        scores = []
        with ThreadPoolExecutor(decode_threads) as decoders:
            # Without any samples one empty batch gives tables without rows.
            for batch in _batches(samples, batch_size):
                scored = self._score(batch, classes, decoders.map)
                tables.append(prediction_rows(scored))
                scores.append(score_rows(scored))
        predictions = pa.concat_tables(tables).combine_chunks()
        index = pa.array(np.arange(predictions.num_rows, dtype=np.int32))
        position = predictions.schema.get_field_index("index")
        predictions = predictions.set_column(position, predictions.schema.field("index"), index)
        kept = [table for table in scores if table is not None]
        return ShardPredictions(predictions, pa.concat_tables(kept) if kept else None)

    def _score(
        self,
        batch: list[StoredSample],
        classes: int,
        each: Callable[..., Iterator[Tensor | UndecodableImageError]],
    ) -> Scored:
        decoded = list(each(self._input, [sample.image for sample in batch]))
        errors = [str(d) if isinstance(d, UndecodableImageError) else None for d in decoded]
        scores = np.zeros((len(batch), classes), dtype=np.float32)
        images = [entry for entry in decoded if isinstance(entry, Tensor)]
        if images:
            good = np.array([error is None for error in errors])
            scores[good] = self._checked(images, classes, batch[0].key)
        return Scored(
            keys=[sample.key for sample in batch],
            targets=[sample.target for sample in batch],
            scores=scores,
            errors=errors,
            output=self.model.spec.output,
        )

    def _input(self, image: bytes) -> Tensor | UndecodableImageError:
        try:
            return to_input(image, self.model.preprocessing, self.numerics.decoder)
        except UndecodableImageError as error:
            return error

    def _checked(self, images: list[Tensor], classes: int, key: str) -> NDArray[np.float32]:
        name = self.model.name
        try:
            scores = self._forward(images)
        except Exception as error:  # a network is foreign code; timm's assert on image sizes
            raise ModelError(
                f"model {name} failed on the batch from {key}: {type(error).__name__}: {error}"
            ) from error
        if scores.ndim != 2 or scores.shape != (len(images), classes):
            raise ModelError(
                f"model {name} returns {list(scores.shape)} for {len(images)} images (from "
                f"{key}); "
                f"the dataset has {classes} classes, so [{len(images)}, {classes}] is needed"
            )
        if fault := check_output(scores, self.model.spec.output):
            raise ModelError(
                f"model {name}, batch from {key}: {fault}; correct `output` or weights"
            )
        return scores

    @torch.inference_mode()
    def _forward(self, images: list[Tensor]) -> NDArray[np.float32]:
        batch = normalise(images, self.model.preprocessing, self.device)
        precision = PRECISIONS.get(self.numerics.precision)
        with torch.autocast(self.device.type, dtype=precision, enabled=precision is not None):
            scores = self.adapter.scores(batch)
        return cast("NDArray[np.float32]", scores.float().cpu().numpy())


def _batches(samples: Iterable[StoredSample], size: int) -> Iterator[list[StoredSample]]:
    iterator = iter(samples)
    yield list(itertools.islice(iterator, size))
    while batch := list(itertools.islice(iterator, size)):
        yield batch
