"""A network and its normalisation as one compiled program, constants folded and frozen."""

import os
import shutil
import threading
from pathlib import Path

import torch
from torch import Tensor, nn

from tasks.models.preprocess import scaled
from tasks.models.spec import Preprocessing

CACHE_VARIABLE = "TORCHINDUCTOR_CACHE_DIR"
COMPILERS = ("g++", "clang++", "c++")


class Fed(nn.Module):
    """A network that takes uint8 batches: normalisation is its first layer."""

    def __init__(self, network: nn.Module, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.network = network
        self.preprocessing = preprocessing

    def forward(self, images: Tensor) -> object:
        return self.network(scaled(images, self.preprocessing))


class Compiled(nn.Module):
    """``Fed``, compiled at the first batch of each shape; other lanes wait for it meanwhile."""

    def __init__(self, network: nn.Module, preprocessing: Preprocessing) -> None:
        super().__init__()
        # Freezing folds batch norm into convolutions and lays weights out for oneDNN.
        self._program = torch.compile(
            Fed(network, preprocessing).eval(), dynamic=False, options={"freezing": True}
        )
        self._lock = threading.Lock()
        self._ready: set[torch.Size] = set()

    def forward(self, images: Tensor) -> object:
        if images.shape not in self._ready:
            with self._lock:
                self._program(images)
                self._ready.add(images.shape)
        return self._program(images)


def filled(images: Tensor, size: int) -> Tensor:
    """A batch of ``size``: the images, then the last of them again and again."""
    lacking = size - len(images)
    if lacking <= 0:
        return images
    whole = torch.cat([images, images[-1:].expand(lacking, -1, -1, -1)])
    return whole.contiguous(memory_format=torch.channels_last)


def has_compiler() -> bool:
    """Whether this machine can compile for the CPU: torch writes C++."""
    wanted = os.environ.get("CXX")
    return any(shutil.which(name) for name in ((wanted,) if wanted else COMPILERS))


def keep_programs() -> None:
    """Keep compiled programs across runs, in the user's cache folder, unless told where."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    os.environ.setdefault(CACHE_VARIABLE, str(home / "nightmark" / "inductor"))
