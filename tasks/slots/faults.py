"""Why an engine process is no more, or must not go on, in words for a person."""

import signal

import torch

STARTED_BADLY = 1


def is_poisoned(error: BaseException) -> bool:
    """Whether the error, or what led to it, left the CUDA context of this process unusable.

    After an assertion on the device or an illegal access every later call fails alike, with any
    model, until the process is replaced. Out of memory is none of these.
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, torch.AcceleratorError):
            return True
        if isinstance(seen, RuntimeError) and str(seen).startswith("CUDA error:"):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def death_words(exit_code: int | None) -> str:
    """How a process ended that was not asked to: for ``Process.exitcode``."""
    if exit_code == -signal.SIGKILL:
        return (
            "it was killed (SIGKILL); unless somebody did that, the machine or container ran out "
            "of memory: fewer slots (runtime.devices), a smaller runtime.batch_size or a higher "
            "limit help"
        )
    if exit_code is not None and exit_code < 0:
        return f"it crashed ({_signal_name(-exit_code)}) in native code; see the system log"
    if exit_code == 128 + signal.SIGTERM:
        return "it was told to end (SIGTERM)"
    if exit_code == STARTED_BADLY:
        return "it could not start or work; its traceback is in the output above"
    return f"it ended by itself (exit code {exit_code}); does the model's code call exit?"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
