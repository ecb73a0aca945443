"""Fixtures for all rooms."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from flows.cli import environment

environment.prepare()
# The same examples in every run: what fails fails for everyone, and not now and then.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")

TOGETHER = (
    ("tests/flows/test_real_comparison.py", "tests/flows/test_reference.py"),
    ("tests/system/test_interrupt.py", "tests/system/test_kill.py"),
)
"""Modules that share an evaluation of all CIFAR-10 test images."""


class ByModule(LoadScopeScheduling):
    """Which tests stay in one process of several: a module's, so its fixtures are made once."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return next((modules[0] for modules in TOGETHER if module in modules), module)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByModule:
    return ByModule(config, log)


@pytest.fixture(scope="session", autouse=True)
def own_device_locks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Device locks of this test run only: another run on the machine must not hold it up."""
    folder = str(tmp_path_factory.mktemp("locks"))
    before = os.environ.get("TMPDIR")
    os.environ["TMPDIR"], tempfile.tempdir = folder, folder
    yield
    tempfile.tempdir = None
    os.environ.pop("TMPDIR")
    if before is not None:
        os.environ["TMPDIR"] = before


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty artifact root, and the environment variable that leads there."""
    monkeypatch.setenv("NIGHTMARK_ROOT", str(tmp_path / "root"))
    return tmp_path / "root"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    place = tmp_path / "small"
    place.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place]
    if subprocess.run(mounting, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system needs root")
    yield place
    subprocess.run(["umount", place], check=True)
