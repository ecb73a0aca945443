"""Inference against peers and against a bound: ratios of medians from one run, on this machine.

    python benchmarks/inference.py SHARED [--case cifar10|lite0|resnet50] [--images N] [--rounds 3]

SHARED holds cifar10/, imagenet/official/ and weights/. ResNet-20 has its real weights, the
ImageNet networks random ones, which cost the same. All sides run the same module on the same shards
and end with a Parquet file. The peers: a hand-written webdataset + DataLoader loop with 0, 1 and 2
workers, the same loop with the module compiled and frozen, and Ray Data where ``ray`` can be
imported (``pip install "ray[data]"``). A first round, in which networks are loaded and compiled and
actors started, is told apart as cold.

The bound is 1 / (1/forward + 1/decode) with the best forward pass found (compiled, one lane per
core, tensors in memory) and decoding at full parallelism: on a CPU both compete for the same cores,
so no pipeline can hide one behind the other. Figures: docs/benchmarks.md.
"""

import argparse
import importlib.util
import io
import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import timm
import torch
import torchvision
import webdataset
from PIL import Image
from torch import Tensor, nn
from torchvision import transforms

from shards.build import build_shard, finish
from shards.reader import Shard, ShardedSplit
from shards.recipe import recipe_for
from shards.sources.cifar import CifarSource
from shards.sources.imagenet_val import open_val_tar
from shards.store import Store
from tasks.layout import PairName, SplitName
from tasks.models.adapter import ModuleAdapter
from tasks.models.batching import batch_size_for
from tasks.models.compiled import Compiled, filled
from tasks.models.cost import NOTHING
from tasks.models.engine import Engine
from tasks.models.lanes import Lanes
from tasks.models.load import load, resolve
from tasks.models.placement import placement_on
from tasks.models.preprocess import stacked, to_input
from tasks.models.spec import ModelSpec, Numerics, Preprocessing, ResolvedModel
from tasks.predictions.store import PredictionStore

PER_SHARD = 1000
CORES = len(os.sched_getaffinity(0))
CPU = torch.device("cpu")
IMAGENET = Preprocessing(
    resize=256, crop=224, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)
)
CIFAR = Preprocessing(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


@dataclass(frozen=True)
class Case:
    model: ResolvedModel
    build: Callable[[], nn.Module]
    split: ShardedSplit
    classes: int
    images: int

    @property
    def shards(self) -> list[Shard]:
        return self.split.shards()[: max(-(-self.images // PER_SHARD), 1)]

    @property
    def batch(self) -> int:
        return batch_size_for(None, "cpu", min(self.images, PER_SHARD))

    @property
    def tars(self) -> list[str]:
        return [shard.store.locate(shard.path) for shard in self.shards]

    def network(self) -> nn.Module:
        torch.manual_seed(0)
        return self.build().eval()

    def transform(self) -> Callable[[Image.Image], Tensor]:
        chosen = self.model.preprocessing
        steps: list[Callable[..., object]] = []
        if chosen.resize is not None:
            steps += [transforms.Resize(chosen.resize), transforms.CenterCrop(chosen.crop)]
        steps += [transforms.ToTensor(), transforms.Normalize(chosen.mean, chosen.std)]
        return transforms.Compose(steps)


def case(name: str, shared: Path, root: Path, images: int) -> Case:
    store = Store.at(root)
    if name == "cifar10":
        source = CifarSource.open(shared / "cifar10", "test")
    else:
        source = open_val_tar(shared / "imagenet" / "official", "val")
    recipe = recipe_for(source, name, "val", PER_SHARD)
    for shard in range(recipe.shard_count):
        build_shard(source, store, name, recipe, shard)
    finish(source, store, name, recipe)
    split = ShardedSplit.open(store, name)
    builders: dict[str, Callable[[], nn.Module]] = {
        "lite0": lambda: timm.create_model("tf_efficientnet_lite0", pretrained=False),
        "resnet50": lambda: torchvision.models.resnet50(weights=None),
    }
    weights = shared / "weights" / "cifar10_resnet20.safetensors"
    model = resolve(
        ModelSpec(
            name="bench",
            loader="module:tasks.models.cifar_resnet:cifar_resnet",
            arguments={"depth": 20},
            weights=weights,
            preprocessing=CIFAR if name == "cifar10" else IMAGENET,
        )
    )
    if name == "cifar10":
        builders[name] = lambda: load(model).module
    return Case(
        model, builders[name], split, 10 if name == "cifar10" else 1000, min(images, len(source))
    )


class Ours:
    """The engine as a slot runs it: lanes over the shards, each published when it is done."""

    def __init__(self, chosen: Case, root: Path, *, compiled: bool) -> None:
        numerics = Numerics(precision="float32", decoder="pil", device_type="cpu", compile=compiled)
        network = chosen.network().to(memory_format=torch.channels_last)
        if compiled:
            network = Compiled(network, chosen.model.preprocessing)
        self.engine = Engine(chosen.model, ModuleAdapter(network), numerics, placement_on(CPU))
        self.case, self.lanes = chosen, Lanes(CORES)
        pair = PairName(SplitName("bench", "val"), "bench")
        self.store = PredictionStore(Store.at(root / "out"), pair, f"r{compiled}", keep_scores=True)
        self.cost = NOTHING

    def __call__(self) -> int:
        left, stream, after = self.case.images, [], None
        for shard in self.case.shards:
            samples = islice(shard.read(), left)
            after = self.engine.begin(
                samples, self.case.classes, self.case.batch, self.lanes, after
            )
            stream.append((shard, after))
            left -= PER_SHARD
        rows = 0
        for shard, each in stream:
            found = self.engine.collect(each)
            if found.predictions.num_rows == shard.entry.nsamples:
                self.store.write(shard, found.predictions, found.scores)
            rows += found.predictions.num_rows
            self.cost += found.cost
        return rows


def forward_bound(chosen: Case) -> Callable[[], int]:
    network = Compiled(
        chosen.network().to(memory_format=torch.channels_last), chosen.model.preprocessing
    )
    sample = list(islice(chosen.shards[0].read(), chosen.batch))
    batch = stacked([to_input(s.image, chosen.model.preprocessing, "pil") for s in sample])
    lanes = ThreadPoolExecutor(CORES, initializer=torch.set_num_threads, initargs=(1,))

    def once(_: int) -> None:
        with torch.inference_mode():
            network(batch)

    def run() -> int:
        count = max(chosen.images // len(batch), 1)
        list(lanes.map(once, range(count)))
        return count * len(batch)

    return run


def decode_bound(chosen: Case) -> Callable[[], int]:
    samples = [s for shard in chosen.shards for s in shard.read()][: chosen.images]
    threads = ThreadPoolExecutor(CORES, initializer=torch.set_num_threads, initargs=(1,))

    def run() -> int:
        inputs = threads.map(
            lambda s: to_input(s.image, chosen.model.preprocessing, "pil").sum(), samples
        )
        return len(list(inputs))

    return run


def loop(chosen: Case, root: Path, workers: int, network: nn.Module) -> Callable[[], int]:
    """What one writes by hand: 40 lines, no checks, no error rows, top-k and one Parquet file."""
    transform = chosen.transform()

    def prepared(sample: dict[str, bytes]) -> tuple[str, Tensor, int]:
        encoded = sample["png"] if "png" in sample else sample["jpg"]
        image = transform(Image.open(io.BytesIO(encoded)).convert("RGB"))
        return sample["__key__"], image, int(sample["cls"])

    def run() -> int:
        torch.set_num_threads(CORES)
        dataset = (
            webdataset.WebDataset(chosen.tars, shardshuffle=False, empty_check=False)
            .map(prepared)
            .batched(chosen.batch)
        )
        loader = torch.utils.data.DataLoader(dataset, batch_size=None, num_workers=workers)
        tables, rows = [], 0
        with torch.inference_mode():
            for keys, images, targets in loader:
                # As ours: a compiled network knows one size of batch.
                fed = filled(images, chosen.batch) if isinstance(network, Frozen) else images
                best = network(fed)[: len(keys)].softmax(1).topk(5)
                tables.append(
                    pa.table(
                        {
                            "key": keys,
                            "target": pa.array(np.asarray(targets)),
                            "topk": best.indices.tolist(),
                            "prob": best.values.tolist(),
                        }
                    )
                )
                rows += len(keys)
                if rows >= chosen.images:
                    break
        pq.write_table(pa.concat_tables(tables), root / "loop.parquet")
        return rows

    return run


class Frozen(nn.Module):
    """The peer's module, compiled with freezing for all cores."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        torch.set_num_threads(CORES)
        self.program = torch.compile(
            network.to(memory_format=torch.channels_last), options={"freezing": True}, dynamic=False
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.program(images)


def ray_data(chosen: Case, root: Path) -> Callable[[], int] | None:
    if importlib.util.find_spec("ray") is None:
        return None
    import ray  # noqa: PLC0415 (only where it is installed)

    ray.init(num_cpus=CORES, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    ray.data.DataContext.get_current().enable_progress_bars = False
    network, transform = chosen.network(), chosen.transform()

    class Predictor:
        def __init__(self) -> None:
            self.network = network

        def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, object]:
            images = [Image.open(io.BytesIO(each)).convert("RGB") for each in batch["image"]]
            with torch.inference_mode():
                scores = self.network(torch.stack([transform(image) for image in images]))
            best = scores.softmax(1).topk(5)
            return {"key": batch["key"], "topk": best.indices.numpy(), "prob": best.values.numpy()}

    rows = [{"key": s.key, "image": s.image} for shard in chosen.shards for s in shard.read()][
        : chosen.images
    ]
    # Blocks in the object store: reading tars is not counted against it.
    given = ray.data.from_items(rows, override_num_blocks=2 * CORES).materialize()

    def run() -> int:
        target = tempfile.mkdtemp(dir=root)
        given.map_batches(Predictor, batch_size=chosen.batch, concurrency=1).write_parquet(target)
        return pq.read_table(target).num_rows

    return run


def measured(contestants: dict[str, Callable[[], int]], rounds: int) -> dict[str, float]:
    """Images per second: medians of rounds in which all take turns; the first does not count."""
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(rounds + 1):
        for name, run in contestants.items():
            started = time.perf_counter()
            images = run()
            seconds = time.perf_counter() - started
            if turn:
                rates[name].append(images / seconds)
            else:
                print(f"  cold: {name:34s} {images:6d} images in {seconds:7.1f} s", flush=True)
    return {name: statistics.median(found) for name, found in rates.items()}


def report(rates: dict[str, float]) -> None:
    for name, rate in rates.items():
        print(f"  {name:40s} {rate:9.1f} images/s")
    bound = 1 / (1 / rates["bound: forward"] + 1 / rates["bound: decode"])
    best = max(rate for name, rate in rates.items() if name.startswith("loop, "))
    ours = rates["ours, compiled"]
    print(f"  bound {bound:.1f}; ours / bound {ours / bound:.2f}")
    print(f"  ours / loop at its best {ours / best:.2f}; eager {rates['ours, eager'] / best:.2f}")
    if "loop compiled" in rates:
        print(f"  ours / compiled loop {ours / rates['loop compiled']:.2f}")
    if "ray data" in rates:
        print(f"  ours / ray data {ours / rates['ray data']:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shared", type=Path)
    parser.add_argument("--case", action="append", choices=["cifar10", "lite0", "resnet50"])
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    for name in chosen.case or ["cifar10", "lite0", "resnet50"]:
        print(name, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            made = case(name, chosen.shared, root, chosen.images)
            frozen = Frozen(made.network())
            eager = made.network()
            contestants: dict[str, Callable[[], int]] = {
                "ours, compiled": Ours(made, root, compiled=True),
                "bound: forward": forward_bound(made),
                "bound: decode": decode_bound(made),
                "ours, eager": Ours(made, root, compiled=False),
                **{f"loop, {n} workers": loop(made, root, n, eager) for n in (0, 1, 2)},
                "loop compiled": loop(made, root, 1, frozen),
            }
            if (ray_run := ray_data(made, root)) is not None:
                contestants["ray data"] = ray_run
            report(measured(contestants, chosen.rounds))


if __name__ == "__main__":
    main()
