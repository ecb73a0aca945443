"""What belongs together ends together, whoever interrupts that; and a port is one's own."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flows.cli.household import Household

DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(60)
"""


@pytest.fixture
def heard_interrupts() -> Iterator[None]:
    """A shell that runs the tests in the background lets them ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard_interrupts")
def test_who_interrupts_the_end_leaves_nothing_running(tmp_path: Path) -> None:
    said: list[str] = []
    household = Household(tmp_path, said.append)
    members = [household.begin(name, (sys.executable, "-c", DEAF)) for name in ("first", "second")]
    while not all(member.log.read_text() for member in members):
        time.sleep(0.05)
    impatient = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    impatient.start()
    with pytest.raises(KeyboardInterrupt):
        household.end()
    assert [member.process.returncode for member in members] == [-signal.SIGKILL] * 2
    household.end()
    assert said == []


def test_what_ends_when_it_is_asked_is_told(tmp_path: Path) -> None:
    said: list[str] = []
    household = Household(tmp_path, said.append)
    willing = household.begin("willing", (sys.executable, "-c", "import time; time.sleep(60)"))
    household.end()
    assert willing.process.returncode == -signal.SIGTERM
    assert said == ["willing: ended"]


@pytest.mark.parametrize("command", ["serve", "ui"])
def test_a_server_of_someone_else_is_not_taken_for_ones_own(
    tmp_path: Path,
    nightmark: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    command: str,
) -> None:
    plan = Path(__file__).parents[1] / "plans" / "small.yaml"
    words = {"serve": (plan,), "ui": ("--home", tmp_path)}[command]
    with socket.socket() as theirs:
        theirs.bind(("127.0.0.1", 0))
        theirs.listen()
        port = theirs.getsockname()[1]
        assert nightmark(command, *words, "--port", port) == 2
    assert f"port {port} of this machine cannot be used" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("cron", "timezone", "said"),
    [
        ("61 2 * * *", "UTC", 'Invalid cron string: "61 2 * * *"'),
        ("0 2 * * *", "Europa/Berlin", 'Invalid timezone: "Europa/Berlin"'),
    ],
)
def test_a_schedule_that_is_none_is_told_before_anything_begins(
    tmp_path: Path, cron: str, timezone: str, said: str
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    plan = Path(__file__).parents[1] / "plans" / "small.yaml"
    # In a process of its own, since serve sets the environment of all that comes after it.
    words = [sys.executable, "-m", "flows", "serve", plan, "--cron", cron, "--timezone", timezone]
    words += ["--port", str(port), "--home", tmp_path / "home"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert said in done.stderr
    assert not (tmp_path / "home" / "nightmark").exists(), "no server was begun"


def test_a_database_that_prefect_cannot_use_is_told_without_its_password(
    nightmark: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address = "postgresql://nightmark:secret@127.0.0.1/nightmark"
    monkeypatch.setenv("PREFECT_SERVER_DATABASE_CONNECTION_URL", address)
    assert nightmark("serve", Path(__file__).parents[1] / "plans" / "small.yaml") == 2
    said = capsys.readouterr().err
    assert "begins with postgresql://" in said
    assert "write postgresql+asyncpg://USER:PASSWORD@HOST:PORT/DATABASE" in " ".join(said.split())
    assert "secret" not in said


@pytest.mark.parametrize(("ignored", "code"), [(False, 129), (True, 0)])
def test_a_closed_terminal_ends_a_command_but_for_nohup(ignored: bool, code: int) -> None:
    action = "signal.SIG_IGN" if ignored else "signal.SIG_DFL"
    program = (
        "import os, signal, time\n"
        f"signal.signal(signal.SIGHUP, {action})\n"
        "from flows.cli import main\n"
        "main.app = lambda: (os.kill(os.getpid(), signal.SIGHUP), time.sleep(0.2))\n"
        "main.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == code
