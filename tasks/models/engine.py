"""One loaded model on one device: the samples of a shard in, their predictions out."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Self, cast

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from shards.errors import ModelError
from shards.reader import StoredSample
from tasks.models import load
from tasks.models.adapter import Adapter
from tasks.models.batching import BatchLimit, is_out_of_memory
from tasks.models.compiled import Compiled, filled
from tasks.models.cost import NOTHING, Cost, Stopwatch
from tasks.models.lanes import Lanes, Stream
from tasks.models.placement import Placement, placement_on
from tasks.models.preprocess import UndecodableImageError, decode, fitted, scaled, stacked
from tasks.models.spec import Numerics, ResolvedModel
from tasks.predictions.schema import Scored, check_output, prediction_rows, score_rows

PRECISIONS = {"bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class ShardPredictions:
    """What an engine made of one shard.

    Attributes:
        predictions: rows by the schema.
        scores: full scores, where kept.
        cost: where the time went.
        news: what happened and should be said, once.
    """

    predictions: pa.Table
    scores: pa.Table | None
    cost: Cost = NOTHING
    news: tuple[str, ...] = ()


@dataclass(frozen=True)
class Engine:
    """A model in memory. ``predict`` may be called again and again, by one thread at a time."""

    model: ResolvedModel
    adapter: Adapter
    numerics: Numerics
    placement: Placement
    limit: BatchLimit = field(default_factory=BatchLimit)

    @classmethod
    def load(cls, model: ResolvedModel, numerics: Numerics, device: str) -> Self:
        """Raises ModelError as ``tasks.models.load.load`` does."""
        placement = placement_on(torch.device(device))
        adapter = load.load(model).on(placement.device)
        if adapter.module is not None:
            adapter.module.to(memory_format=torch.channels_last)
            if numerics.compile:
                adapter = adapter.around(Compiled(adapter.module, model.preprocessing))
        return cls(model, adapter, numerics, placement)

    def predict(
        self, samples: Iterable[StoredSample], classes: int, batch_size: int, threads: int
    ) -> ShardPredictions:
        """Predictions in the order of the samples; an image that does not decode gets an error row.

        Raises:
            ModelError: the model has another number of outputs than ``classes``, returns NaN, or
                not what its spec declares; the message names the first key of the batch.
            ShardError: from reading the samples.
        """
        lanes = Lanes(threads)
        try:
            return self.collect(self.begin(samples, classes, batch_size, lanes))
        finally:
            lanes.close()

    def begin(
        self,
        samples: Iterable[StoredSample],
        classes: int,
        batch_size: int,
        lanes: Lanes,
        after: "Stream[ShardPredictions] | None" = None,
    ) -> "Stream[ShardPredictions]":
        """Send the samples on their way, behind those of ``after``; ``collect`` what comes."""

        def work(batch: list[StoredSample], reading: float) -> ShardPredictions:
            return self._rows(batch, classes, batch_size, reading)

        return Stream(samples, batch_size, lanes, work, after)

    def collect(self, stream: "Stream[ShardPredictions]") -> ShardPredictions:
        """All predictions of a stream that this engine began. Raises as ``predict`` does."""
        started = perf_counter()
        parts = list(stream.results())
        predictions = pa.concat_tables([part.predictions for part in parts]).combine_chunks()
        index = pa.array(np.arange(predictions.num_rows, dtype=np.int32))
        position = predictions.schema.get_field_index("index")
        predictions = predictions.set_column(position, predictions.schema.field("index"), index)
        kept = [part.scores for part in parts if part.scores is not None]
        wall = perf_counter() - started
        cost = sum(
            (part.cost for part in parts), Cost(wall=wall, capacity=wall * stream.lanes.count)
        )
        scores = pa.concat_tables(kept) if kept else None
        return ShardPredictions(predictions, scores, cost, self.limit.news())

    def _rows(
        self, batch: list[StoredSample], classes: int, batch_size: int, reading: float
    ) -> ShardPredictions:
        """Runs in a lane."""
        watch = Stopwatch()
        watch.count("read", reading)
        decoded = self._decoded(batch, watch)
        errors = [str(d) if isinstance(d, UndecodableImageError) else None for d in decoded]
        scores = np.zeros((len(batch), classes), dtype=np.float32)
        images = [entry for entry in decoded if isinstance(entry, Tensor)]
        if images:
            good = np.array([error is None for error in errors])
            scores[good] = self._checked(images, classes, batch_size, batch[0].key, watch)
        with watch.timed("rank"):
            scored = Scored(
                keys=[sample.key for sample in batch],
                targets=[sample.target for sample in batch],
                scores=scores,
                errors=errors,
                output=self.model.spec.output,
            )
            rows, kept = prediction_rows(scored), score_rows(scored)
        return ShardPredictions(rows, kept, watch.cost(len(batch)))

    def _decoded(
        self, batch: list[StoredSample], watch: Stopwatch
    ) -> list[Tensor | UndecodableImageError]:
        found: list[Tensor | UndecodableImageError] = []
        resized = self.model.preprocessing.resize is not None
        for sample in batch:
            try:
                with watch.timed("decode"):
                    pixels = decode(sample.image, self.numerics.decoder, resized=resized)
            except UndecodableImageError as error:
                found.append(error)
                continue
            with watch.timed("preprocess"):
                found.append(fitted(pixels, self.model.preprocessing))
        return found

    def _checked(
        self, images: list[Tensor], classes: int, batch_size: int, key: str, watch: Stopwatch
    ) -> NDArray[np.float32]:
        name = self.model.name
        try:
            with watch.timed("preprocess"):
                batch = stacked(images)
            with watch.timed("forward"):
                scores = self._forward(batch, batch_size)
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

    def _forward(self, batch: Tensor, batch_size: int) -> NDArray[np.float32]:
        """The scores of a batch, in as many parts as memory makes necessary."""
        parts: list[NDArray[np.float32]] = []
        done = 0
        while done < len(batch):
            size = self.limit.fit(batch_size)
            part = batch[done : done + size]
            try:
                parts.append(self._run(part, size))
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                if size == 1:
                    raise MemoryError(
                        f"one image alone does not fit into the memory of "
                        f"{self.placement.device} ({error})"
                    ) from error
                self.limit.halve(size, self.model.name)
                continue
            done += len(part)
        return np.concatenate(parts)

    @torch.inference_mode()
    def _run(self, images: Tensor, size: int) -> NDArray[np.float32]:
        precision = PRECISIONS.get(self.numerics.precision)
        device = self.placement.device.type
        compiled = isinstance(self.adapter.module, Compiled)
        # A compiled program knows one size.
        whole = filled(images, size) if compiled else images

        def network(batch: Tensor) -> Tensor:
            with torch.autocast(device, dtype=precision, enabled=precision is not None):
                # A compiled program normalises by itself.
                fed = batch if compiled else scaled(batch, self.model.preprocessing)
                return self.adapter.scores(fed)

        scores = self.placement.run(whole, network)
        found = scores[: len(images)] if compiled else scores
        return cast("NDArray[np.float32]", found.numpy())
