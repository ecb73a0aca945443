"""Networks and the shards they are measured on, the same for every side."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import timm
import torchvision
from made_sets import val_tar
from safetensors.torch import save_file
from torch import nn

from shards.build import build_shard, finish
from shards.reader import Shard, ShardedSplit
from shards.recipe import recipe_for
from shards.sources.cifar import CifarSource
from shards.sources.imagenet_val import open_val_tar
from shards.sources.source import Source
from shards.store import Store
from tasks.layout import PairName, SplitName
from tasks.models.batching import batch_size_for
from tasks.models.load import load, resolve
from tasks.models.spec import ModelSpec, Preprocessing, ResolvedModel

Name = Literal["cifar10", "lite0", "resnet50"]
NAMES: tuple[Name, ...] = ("cifar10", "lite0", "resnet50")
DEFAULT_IMAGES: dict[Name, int] = {"cifar10": 10_000, "lite0": 256, "resnet50": 96}
"""About ten seconds of a forward pass on two cores."""

MOST_PER_SHARD = 1000
PAIR = PairName(SplitName("bench", "val"), "bench")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
IMAGENET = Preprocessing(resize=256, crop=224, mean=MEAN, std=STD)
CIFAR = Preprocessing(mean=MEAN, std=STD)


@dataclass(frozen=True)
class Case:
    """A model and whole shards.

    Attributes:
        images: of all ``shards``, of which each worker of a peer has one at least.
    """

    model: ResolvedModel
    split: ShardedSplit
    shards: tuple[Shard, ...]

    @property
    def images(self) -> int:
        return sum(shard.entry.nsamples for shard in self.shards)

    @property
    def classes(self) -> int:
        return len(self.split.manifest.classes)

    @property
    def batch(self) -> int:
        return batch_size_for(None, "cpu", max(shard.entry.nsamples for shard in self.shards))

    @property
    def tars(self) -> list[str]:
        return [shard.store.locate(shard.path) for shard in self.shards]

    def network(self) -> nn.Module:
        """The same module and weights for every side."""
        module = load(self.model).module
        assert module is not None
        return module.eval()


def cifar_resnet(shared: Path, depth: int) -> ModelSpec:
    return ModelSpec(
        name="bench",
        loader="module:tasks.models.cifar_resnet:cifar_resnet",
        arguments={"depth": depth},
        weights=shared / "weights" / f"cifar10_resnet{depth}.safetensors",
        preprocessing=CIFAR,
    )


def random_weights(loader: str, build: Callable[[], nn.Module], root: Path) -> ModelSpec:
    """They cost the same as trained ones."""
    weights = root / "random.safetensors"
    save_file(build().state_dict(), weights)
    return ModelSpec(name="bench", loader=loader, weights=weights, preprocessing=IMAGENET)


def case(name: Name, shared: Path, root: Path, images: int, cores: int) -> Case:
    """So many images, or up to a shard more; ``shared`` is laid out as inference.py says."""
    if name == "cifar10":
        spec = cifar_resnet(shared, 20)
        return case_of(spec, CifarSource.open(shared / "cifar10", "test"), root, images, cores)
    if name == "lite0":
        model = "tf_efficientnet_lite0"
        spec = random_weights(f"timm:{model}", lambda: timm.create_model(model), root)
    else:
        spec = random_weights("torchvision:resnet50", torchvision.models.resnet50, root)
    made = root / "made"
    made.mkdir()
    val_tar(shared / "imagenet" / "official", images, made)
    return case_of(spec, open_val_tar(made, "val"), root, images, cores)


def case_of(spec: ModelSpec, source: Source, root: Path, images: int, cores: int) -> Case:
    store, images = Store.at(root), min(images, len(source))
    per_shard = min(MOST_PER_SHARD, -(-images // cores))
    recipe = recipe_for(source, "bench", "val", per_shard)
    for shard in range(recipe.shard_count):
        build_shard(source, store, "shards", recipe, shard)
    finish(source, store, "shards", recipe)
    split = ShardedSplit.open(store, "shards")
    return Case(resolve(spec), split, tuple(split.shards()[: -(-images // per_shard)]))
