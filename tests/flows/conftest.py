"""One embedded Prefect server for all tests of flows, and the command run in this process."""

import sys
from collections.abc import Callable, Iterator

import pytest
from prefect.testing.utilities import prefect_test_harness

from flows.cli.main import main
from tasks.slots.devices import find_devices
from tasks.slots.pool import slot_pool


@pytest.fixture(scope="session", autouse=True)
def prefect_server() -> Iterator[None]:
    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture(scope="session", autouse=True)
def warm_slots(own_device_locks: None) -> Iterator[None]:
    """One engine process for all nights in this process; its start costs more than a night."""
    with slot_pool(find_devices(("auto",))):
        yield


@pytest.fixture
def nightmark(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run the command with these words; its exit code."""

    def run(*words: object) -> int:
        monkeypatch.setattr(sys, "argv", ["nightmark", *map(str, words)])
        try:
            main()
        except SystemExit as ended:
            return int(ended.code or 0)
        return 0

    return run
