"""Tests that need a CUDA device; where there is none they are skipped, and say so."""

from collections.abc import Callable
from typing import TypeVar

import pytest
import torch

T = TypeVar("T", bound=Callable[..., None])


def needs_gpu(test: T) -> T:
    """Mark a test ``gpu``."""
    without = pytest.mark.skipif(
        not torch.cuda.is_available(), reason="no CUDA device on this machine"
    )
    marked: T = pytest.mark.gpu(without(test))
    return marked
