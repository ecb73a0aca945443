import pytest
import torch

from shards.errors import ModelError
from tasks.slots.faults import death_words, is_poisoned


def raised_from(cause: Exception) -> ModelError:
    """As the engine wraps what a network raises."""
    wrapped = ModelError("model m failed on the batch from k")
    wrapped.__cause__ = cause
    return wrapped


@pytest.mark.parametrize(
    "cause",
    [
        torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("CUDA error: device-side assert triggered\nCUDA kernel errors might be"),
    ],
)
def test_a_lost_context_is_seen_through_what_wraps_it(cause: Exception) -> None:
    assert is_poisoned(cause)
    assert is_poisoned(raised_from(cause))


@pytest.mark.parametrize(
    "cause",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("expected scalar type Float but found Half"),
        ValueError("CUDA error: not one of torch's"),
    ],
)
def test_other_faults_leave_the_process_as_it_is(cause: Exception) -> None:
    assert not is_poisoned(cause)
    assert not is_poisoned(raised_from(cause))


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (-9, "it was killed (SIGKILL); unless somebody did that, the machine or container ran out"),
        (-11, "it crashed (SIGSEGV) in native code"),
        (-99, "it crashed (signal 99) in native code"),
        (143, "it was told to end (SIGTERM)"),
        (1, "its traceback is in the output above"),
        (7, "it ended by itself (exit code 7)"),
        (None, "it ended by itself (exit code None)"),
    ],
)
def test_every_death_has_words(code: int | None, words: str) -> None:
    assert words in death_words(code)
