"""One embedded Prefect server for all tests of flows, and the command run in this process."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from prefect.testing.utilities import prefect_test_harness

from flows.cli.main import main
from tasks.slots.devices import find_devices
from tasks.slots.pool import slot_pool

REFERENCE_PLAN = Path(__file__).parents[1] / "plans" / "shared.yaml"


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
        return exit_code()

    return run


def exit_code() -> int:
    """The exit code of the command in ``sys.argv``."""
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


@dataclass(frozen=True)
class Evaluated:
    """An artifact root after one evaluation, for tests that only read it."""

    root: Path
    exit_code: int


@pytest.fixture(scope="session")
def resnet20(tmp_path_factory: pytest.TempPathFactory) -> Evaluated:
    """ResNet-20 on all CIFAR-10 test images, once for all tests: it is most of their time."""
    root = tmp_path_factory.mktemp("resnet20")
    words = ["evaluate", str(REFERENCE_PLAN), "--dataset", "cifar10", "--model", "resnet20"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NIGHTMARK_ROOT", str(root))
        patch.setattr(sys, "argv", ["nightmark", *words])
        return Evaluated(root, exit_code())
