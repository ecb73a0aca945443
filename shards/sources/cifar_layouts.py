"""How CIFAR-10 and CIFAR-100 are published: archives, the folders they unpack to, their batches."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from shards.sample import ClassList
from shards.sources.builtin import CIFAR10_CLASSES, CIFAR100_CLASSES, CIFAR100_COARSE

SPLIT_ROWS = {"train": 50_000, "test": 10_000}


@dataclass(frozen=True)
class Layout:
    """How one of the official archives is called, what it unpacks to, and what lies in there."""

    form: Literal["python", "binary"]
    archive: str
    folder: str
    batches: Mapping[str, tuple[str, ...]] = field(repr=False)


@dataclass(frozen=True)
class Cifar:
    """What differs between the two datasets; python layout first."""

    name: str
    title: str
    classes: ClassList = field(repr=False)
    coarse: tuple[str, ...] = field(repr=False)
    layouts: tuple[Layout, ...]


BATCHES = {"test": ("test_batch",), "train": tuple(f"data_batch_{i}" for i in range(1, 6))}
FOLDER = "cifar-10-batches-py"
ARCHIVE = "cifar-10-python.tar.gz"
CIFAR10 = Cifar(
    name="cifar10",
    title="CIFAR-10",
    classes=CIFAR10_CLASSES,
    coarse=(),
    layouts=(
        Layout("python", ARCHIVE, FOLDER, BATCHES),
        Layout(
            "binary",
            "cifar-10-binary.tar.gz",
            "cifar-10-batches-bin",
            {split: tuple(f"{name}.bin" for name in names) for split, names in BATCHES.items()},
        ),
    ),
)
CIFAR100 = Cifar(
    name="cifar100",
    title="CIFAR-100",
    classes=CIFAR100_CLASSES,
    coarse=CIFAR100_COARSE,
    layouts=(
        Layout(
            "python",
            "cifar-100-python.tar.gz",
            "cifar-100-python",
            {"test": ("test",), "train": ("train",)},
        ),
        Layout(
            "binary",
            "cifar-100-binary.tar.gz",
            "cifar-100-binary",
            {"test": ("test.bin",), "train": ("train.bin",)},
        ),
    ),
)
