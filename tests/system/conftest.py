"""The command as a user starts it: its own process, its own Prefect, nothing of the developer's."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.system.evaluating import WORDS

Start = Callable[..., "subprocess.Popen[str]"]


FIRST = ("test_serving.py", "test_long_lived.py", "test_interrupt.py", "test_kill.py")
"""The modules that take minutes: begun first, so that no process ends long before the other."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.system)
    names = (*FIRST, None)
    items.sort(key=lambda item: names.index(item.path.name if item.path.name in FIRST else None))


@pytest.fixture(scope="session")
def fresh_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prefect's home before any run. To be copied: its tables take long to make, and are alike."""
    home = tmp_path_factory.mktemp("home") / "prefect"
    home.mkdir()
    command = (sys.executable, "-m", "prefect", "server", "database", "upgrade", "-y")
    environment = {**os.environ, "PREFECT_HOME": str(home)}
    subprocess.run(command, env=environment, check=True, capture_output=True)
    assert list(home.glob("prefect.db"))
    return home


@pytest.fixture
def start(tmp_path: Path, fresh_home: Path) -> Iterator[Start]:
    """Start ``nightmark WORDS`` in an empty working directory; killed at the end of the test."""
    shutil.copytree(fresh_home, tmp_path / "prefect")
    yield from starting(tmp_path)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, fresh_home: Path) -> Path:
    """The artifact root of the evaluation that other tests disturb."""
    folder = tmp_path_factory.mktemp("undisturbed")
    shutil.copytree(fresh_home, folder / "prefect")
    for start in starting(folder):
        running = start(*WORDS)
        printed, _ = running.communicate()
        assert running.returncode == 1, printed
    return folder / "root"


def starting(tmp_path: Path) -> Iterator[Start]:
    """What starts commands in a folder, and ends them when it is done with."""
    running: list[subprocess.Popen[str]] = []

    def begin(*words: object, **environment: str) -> "subprocess.Popen[str]":
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "NIGHTMARK"))}
        process = subprocess.Popen(
            [sys.executable, "-m", "flows", *map(str, words)],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={
                **kept,
                "PREFECT_HOME": str(tmp_path / "prefect"),
                "NIGHTMARK_ROOT": str(tmp_path / "root"),
                # Device locks lie there; this session's warm engine holds those of its own.
                "TMPDIR": str(tmp_path),
                **environment,
            },
            start_new_session=True,
            # A shell that runs the tests in the background lets them ignore Ctrl-C.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )
        running.append(process)
        return process

    yield begin
    for process in running:
        # Also where the command is gone: a killed one leaves its embedded server behind.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def free_port() -> int:
    return some_free_port()


@pytest.fixture(scope="module")
def module_port() -> int:
    return some_free_port()


def some_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
