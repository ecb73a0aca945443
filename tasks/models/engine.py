"""One loaded model on one device: the samples of a shard in, their predictions out."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Self

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from shards.errors import ModelError
from shards.reader import StoredSample
from tasks.models import load
from tasks.models.adapter import Adapter
from tasks.models.batching import BatchLimit, is_out_of_memory
from tasks.models.compiled import Compiled, filled
from tasks.models.cost import NOTHING, Cost, Stopwatch
from tasks.models.decoding import UndecodableImageError, decode_batch, require_decoder
from tasks.models.lanes import Lanes, Stream
from tasks.models.placement import Placement, placement_on
from tasks.models.preprocess import fitted, scaled, stacked
from tasks.models.spec import Numerics, ResolvedModel
from tasks.models.tensors import TENSORS
from tasks.predictions.ranking import NUMPY, Ranked, check_ranked, rank
from tasks.predictions.schema import Asked, ranked_rows, ranked_scores

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
        """Raises ModelError as ``tasks.models.load.load``, InputError as ``require_decoder``."""
        placement = placement_on(torch.device(device))
        require_decoder(numerics.decoder, placement.device)
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
        with self.placement.lane():
            decoded = self._decoded(batch, watch)
            asked = Asked(
                keys=[sample.key for sample in batch],
                targets=[sample.target for sample in batch],
                errors=[str(d) if isinstance(d, UndecodableImageError) else None for d in decoded],
                classes=classes,
            )
            images = [entry for entry in decoded if isinstance(entry, Tensor)]
            ranked = self._ranked(images, asked, batch_size, watch)
        with watch.timed("rank"):
            rows, kept = ranked_rows(asked, ranked), ranked_scores(asked, ranked)
        return ShardPredictions(rows, kept, watch.cost(len(batch)))

    def _decoded(
        self, batch: list[StoredSample], watch: Stopwatch
    ) -> list[Tensor | UndecodableImageError]:
        found: list[Tensor | UndecodableImageError] = []
        resized = self.model.preprocessing.resize is not None
        images, device = [sample.image for sample in batch], self.placement.device
        decoded = decode_batch(images, self.numerics.decoder, device, resized=resized)
        for _ in batch:
            with watch.timed("decode"):
                pixels = next(decoded)
            if isinstance(pixels, UndecodableImageError):
                found.append(pixels)
                continue
            with watch.timed("preprocess"):
                found.append(fitted(pixels, self.model.preprocessing))
        return found

    def _ranked(
        self, images: list[Tensor], asked: Asked, batch_size: int, watch: Stopwatch
    ) -> Ranked:
        """Of the images that were decoded, as NumPy arrays; in their order."""
        name, output = self.model.name, self.model.spec.output
        if not images:
            nothing = np.zeros((0, asked.classes), dtype=np.float32)
            return rank(NUMPY, nothing, np.zeros(0, dtype=np.int64), output)
        key = asked.keys[0]
        try:
            with watch.timed("preprocess"):
                batch = stacked(images)
            with watch.timed("forward"):
                ranked = self._forward(batch, asked, batch_size, watch)
        except ModelError:
            raise
        except Exception as error:  # a network is foreign code; timm's assert on image sizes
            raise ModelError(
                f"model {name} failed on the batch from {key}: {type(error).__name__}: {error}"
            ) from error
        if fault := check_ranked(ranked, output):
            raise ModelError(
                f"model {name}, batch from {key}: {fault}; correct `output` or weights"
            )
        return ranked

    def _forward(self, batch: Tensor, asked: Asked, batch_size: int, watch: Stopwatch) -> Ranked:
        """Through the network in as many parts as memory makes necessary."""
        targets = torch.from_numpy(asked.target_column[asked.good])
        parts: list[Ranked] = []
        done = 0
        while done < len(batch):
            size = self.limit.fit(batch_size)
            part = slice(done, done + size)
            try:
                parts.append(self._run(batch[part], targets[part], size, asked, watch))
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
            done += size
        return Ranked.joined(parts)

    @torch.inference_mode()
    def _run(
        self, images: Tensor, targets: Tensor, size: int, asked: Asked, watch: Stopwatch
    ) -> Ranked:
        precision = PRECISIONS.get(self.numerics.precision)
        device = self.placement.device.type
        compiled = isinstance(self.adapter.module, Compiled)
        # A compiled program knows one size.
        whole = filled(images, size) if compiled else images

        def work(batch: Tensor, wanted: Tensor) -> Ranked:
            with torch.autocast(device, dtype=precision, enabled=precision is not None):
                # A compiled program normalises by itself.
                fed = batch if compiled else scaled(batch, self.model.preprocessing)
                scores = self.adapter.scores(fed)
            if scores.shape != (wanted_shape := (len(batch), asked.classes)):
                raise ModelError(
                    f"model {self.model.name} returns {list(scores.shape)} for {len(batch)} "
                    f"images (from {asked.keys[0]}); the dataset has {asked.classes} classes, so "
                    f"{list(wanted_shape)} is needed"
                )
            with watch.timed("rank"):
                found = scores[: len(wanted)].float()
                return rank(TENSORS, found, wanted, self.model.spec.output)

        return self.placement.run(whole, targets, work)
