"""Ctrl-C, SIGTERM and a server that is away: one line each, no hang, and nothing lost."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.shared_data import needs_shared
from tests.system.conftest import Start
from tests.system.evaluating import SHARDS, WORDS, predictions, results

PLANS = Path(__file__).parents[1] / "plans"


@needs_shared
@pytest.mark.parametrize(("stop", "code"), [(signal.SIGINT, 3), (signal.SIGTERM, 143)])
def test_an_interruption_ends_soon_and_keeps_what_is_finished(
    start: Start, tmp_path: Path, undisturbed: Path, stop: signal.Signals, code: int
) -> None:
    root = tmp_path / "root"
    running = start(*WORDS)
    deadline = time.monotonic() + 300
    while not predictions(root) and time.monotonic() < deadline:
        assert running.poll() is None, running.communicate()[0]
        time.sleep(0.1)
    if stop == signal.SIGINT:
        # A terminal sends it to the whole foreground group, server and engine included.
        os.killpg(running.pid, stop)
    else:
        running.send_signal(stop)
    printed, _ = running.communicate(timeout=120)
    assert running.returncode == code, printed
    assert "ed; what is finished is kept, run again for the rest" in printed
    assert "Traceback" not in printed
    assert 0 < len(predictions(root)) < SHARDS
    assert results(root).items() < results(undisturbed).items(), "what is there is whole"
    assert not [path for path in root.rglob(".*") if path.is_file()]
    deadline = time.monotonic() + 20
    while members(running.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not members(running.pid), "neither server nor engine is left behind"
    again = start(*WORDS)
    printed, _ = again.communicate()
    assert again.returncode == 1, printed
    assert results(root) == results(undisturbed)


def members(group: int) -> list[str]:
    """The processes of a group that have not ended."""
    found: list[str] = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            name, rest = stat.read_text().rsplit(")", 1)
            state, _, its_group, *_ = rest.split()
            if int(its_group) == group and state != "Z":
                found.append(name)
    return found


def test_two_commands_at_once_end_alike(start: Start, tmp_path: Path) -> None:
    """Each with its own slot and its own server, the same files."""
    (tmp_path / "other").mkdir()
    words = ("evaluate", PLANS / "small.yaml", "--dataset", "cifar10", "--model", "resnet8")
    both = (
        start(*words, "--set", "runtime.devices=[cpu:0]"),
        start(*words, "--set", "runtime.devices=[cpu:1]", PREFECT_HOME=str(tmp_path / "other")),
    )
    for each in both:
        printed, _ = each.communicate(timeout=300)
        assert each.returncode == 0, printed
    (metrics,) = tmp_path.glob("root/scorings/**/metrics.json")
    assert b'"top1"' in metrics.read_bytes()
    assert len(list(tmp_path.glob("root/predictions/**/*.parquet"))) == 4
    assert not [path for path in (tmp_path / "root").rglob(".*") if path.is_file()]


def test_a_server_that_is_away_is_named(start: Start) -> None:
    running = start("night", PLANS / "small.yaml", PREFECT_API_URL="http://127.0.0.1:9/api")
    printed, _ = running.communicate(timeout=120)
    assert running.returncode == 2, printed
    assert (
        "the Prefect server at http://127.0.0.1:9/api (PREFECT_API_URL) does not answer" in printed
    )
    assert "Traceback" not in printed
