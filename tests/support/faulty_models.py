"""Model factories for the tests of the engine and of the slots; children import them by name."""

import os
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

CLASSES = 10


class Answering(nn.Module):
    """A network with one parameter whose answer to a batch is computed by a function."""

    def __init__(self, answer: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.answer = answer

    def forward(self, images: Tensor) -> object:
        return self.answer(images)


def brightness(images: Tensor) -> Tensor:
    """Logits that depend on the image: its mean, times the class index."""
    return images.mean(dim=(1, 2, 3))[:, None] * torch.arange(CLASSES, device=images.device)


def sound() -> nn.Module:
    return Answering(brightness)


def nan() -> nn.Module:
    return Answering(lambda images: brightness(images) * float("nan"))


def probabilities() -> nn.Module:
    return Answering(lambda images: brightness(images).softmax(1))


def a_tuple() -> nn.Module:
    return Answering(lambda images: (brightness(images), brightness(images)))


def one_row() -> nn.Module:
    return Answering(lambda images: brightness(images)[:1])


def flat() -> nn.Module:
    return Answering(lambda images: brightness(images).flatten())


def asserting() -> nn.Module:
    """Vision transformers of timm and torchvision refuse a wrong image size in this way."""

    def answer(images: Tensor) -> Tensor:
        torch._assert(images.shape[-1] == 224, "Input image height doesn't match model")
        return brightness(images)

    return Answering(answer)


def lacking_an_attribute() -> nn.Module:
    return Answering(lambda images: images.no_such_attribute)


def deadly() -> nn.Module:
    """Kills the process that builds it."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


# One black image is asked when a model is loaded; a fault is to come at work.
def deadly_once(marker: str) -> nn.Module:
    """Kills the process that runs it if the file ``marker`` is there, and removes that file."""

    def answer(images: Tensor) -> Tensor:
        if images.any() and Path(marker).exists():
            Path(marker).unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return brightness(images)

    return Answering(answer)


def poisoned_once(marker: str) -> nn.Module:
    """The CUDA context is lost if the file ``marker`` is there, which is removed then."""

    def answer(images: Tensor) -> Tensor:
        if images.any() and Path(marker).exists():
            Path(marker).unlink()
            raise torch.AcceleratorError("CUDA error: device-side assert triggered")
        return brightness(images)

    return Answering(answer)


def lingering(marker: str) -> nn.Module:
    """Writes its process's id into the file ``marker``, once, and takes a second then."""

    def answer(images: Tensor) -> Tensor:
        if images.any() and not Path(marker).exists():
            Path(marker).write_text(str(os.getpid()))
            time.sleep(1)
        return brightness(images)

    return Answering(answer)


def hungry(most: int, error: str = "OutOfMemoryError") -> nn.Module:
    """Has no memory for more than ``most`` images."""

    def answer(images: Tensor) -> Tensor:
        if len(images) > most:
            if error == "OutOfMemoryError":
                raise torch.OutOfMemoryError("CUDA out of memory.")
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate")
        return brightness(images)

    return Answering(answer)


def limited(megabytes: int, each: int) -> nn.Module:
    """Its process may take so many megabytes more than it has, and ``each`` image needs some."""

    def answer(images: Tensor) -> Tensor:
        if images.any():
            if resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY:
                pages = int(Path("/proc/self/statm").read_text().split()[0])
                most = pages * resource.getpagesize() + (megabytes << 20)
                resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))
            torch.empty(len(images) * each << 20, dtype=torch.uint8)
        return brightness(images)

    return Answering(answer)


def no_network() -> str:
    return "not a network"


def failing() -> nn.Module:
    raise LookupError("the factory has lost its way")


def slow() -> nn.Module:
    def answer(images: Tensor) -> Tensor:
        time.sleep(0.4)
        return brightness(images)

    return Answering(answer)
