"""Ray Data: read_webdataset of the same shards → map_batches on actors → write_parquet."""

import io
import logging
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import ray
import ray.data
import torch
from cases import Case
from peers.hand_loop import transform_of
from PIL import Image
from rounds import Contestant, Lap
from torch import nn

LOGICAL_CPUS = 3
"""Per core: an actor holds one for as long as it lives, and reading and writing need some too."""


def start(cores: int, folder: Path) -> float:
    """Seconds that Ray itself took to start, which no contestant is charged with."""
    started = time.perf_counter()
    # Ray gives way to everything else on the machine, unless told otherwise.
    os.environ.setdefault("RAY_worker_niceness", "0")
    ray.init(
        num_cpus=LOGICAL_CPUS * cores,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
        _temp_dir=str(folder),
    )
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    return time.perf_counter() - started


class Predictor:
    """Decodes, transforms and predicts batches; one network for each actor."""

    def __init__(self, network: nn.Module, chosen: Case, threads: int) -> None:
        torch.set_num_threads(threads)
        self.network = network
        self.transform = transform_of(chosen.model.preprocessing)
        self.begun: float | None = None

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, object]:
        # The clock is the machine's, so that it can be compared with that of the other process.
        self.begun = self.begun or time.perf_counter()
        encoded = batch["png"] if "png" in batch else batch["jpg"]
        images = [Image.open(io.BytesIO(each)).convert("RGB") for each in encoded]
        with torch.inference_mode():
            scores = self.network(torch.stack([self.transform(image) for image in images]))
        best = scores.softmax(1).topk(5)
        return {
            "key": batch["__key__"],
            "target": np.array([int(each) for each in batch["cls"]]),
            "topk": best.indices.numpy(),
            "prob": best.values.numpy(),
            "begun": np.full(len(images), self.begun),
        }


def map_batches(
    chosen: Case, network: nn.Module, actors: int, target: Path, threads: int
) -> Contestant:
    """Its start-up, of actors and networks, ends with the first batch that one of them gets."""

    def lap() -> Lap:
        shutil.rmtree(target, ignore_errors=True)
        ray.data.read_webdataset(chosen.tars, decoder=None).map_batches(
            Predictor,
            fn_constructor_args=(network, chosen, threads),
            batch_size=chosen.batch,
            compute=ray.data.ActorPoolStrategy(size=actors),
            num_cpus=1,
        ).write_parquet(str(target))
        begun = pq.read_table(target, columns=["begun"])["begun"].to_numpy()
        return Lap(len(begun), float(begun.min()))

    return lap
