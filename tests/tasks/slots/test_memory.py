"""Memory that a network asks for again and again stays with the process."""

import subprocess
import sys

import pytest

# In a process of its own: there is no way back to the allocator's habits.
CHURN = """
import resource
import numpy as np
from tasks.slots.memory import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(200):
        blocks = [np.ones(1 << 18) for _ in range(4)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

given_back, can = faults(), keep_freed_memory()
print(can, given_back, faults())
"""
PAGES = 4 * (1 << 21) // 4096
"""Of the four blocks of two megabytes."""


def test_blocks_that_are_freed_are_not_asked_for_again() -> None:
    command = (sys.executable, "-c", CHURN)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    can, given_back, kept = done.stdout.split()
    if can != "True":
        pytest.skip("this system's allocator has no such setting")
    assert int(kept) < 10 * PAGES < int(given_back)
