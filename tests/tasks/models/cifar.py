"""The first CIFAR-10 test images as they lie in a shard, and the networks of the shared set."""

from functools import cache
from pathlib import Path

import torch

from shards.reader import StoredSample
from shards.sample import Sample
from shards.sources.cifar import CifarSource
from tasks.models.engine import Engine
from tasks.models.load import resolve
from tasks.models.spec import ModelSpec, Numerics, Preprocessing, ResolvedModel
from tests.support.shared_data import SHARED

WEIGHTS = SHARED / "data/weights"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
AS_TRAINED = Preprocessing(mean=MEAN, std=STD)
EXACT = Numerics(precision="float32", decoder="pil", device_type="cpu")
FILES = {20: "cifar10_resnet20.safetensors", 56: "cifar10_resnet56.safetensors"}


@cache
def first_images(count: int) -> tuple[StoredSample, ...]:
    source = CifarSource.open(SHARED / "data/cifar10", "test")
    found = [sample for sample in source.read(0, count) if isinstance(sample, Sample)]
    return tuple(
        StoredSample(key=sample.key, index=index, image=sample.image, target=sample.label)
        for index, sample in enumerate(found)
    )


@cache
def resnet(depth: int = 20) -> ResolvedModel:
    return resolve(
        ModelSpec(
            name=f"resnet{depth}",
            loader="module:tasks.models.cifar_resnet:cifar_resnet",
            arguments={"depth": depth},
            weights=WEIGHTS / FILES[depth],
            preprocessing=AS_TRAINED,
        )
    )


@cache
def engine(depth: int = 20) -> Engine:
    return Engine.load(resnet(depth), EXACT, "cpu")


def faulty(factory: str, folder: Path, **changes: object) -> ResolvedModel:
    """A model of ``tests.support.faulty_models``."""
    weights = folder / "weights.pth"
    torch.save({"weight": torch.zeros(1)}, weights)
    return resolve(
        ModelSpec.model_validate(
            {
                "name": factory.replace("_", "-"),
                "loader": f"module:tests.support.faulty_models:{factory}",
                "weights": weights,
                "preprocessing": Preprocessing(),
                **changes,
            }
        )
    )
