"""Ctrl-C, SIGTERM and a server that is away: one line each, no hang, and nothing lost."""

import os
import signal
import time
from pathlib import Path

from tests.support.shared_data import needs_shared
from tests.system.conftest import Start

PLANS = Path(__file__).parents[1] / "plans"
WORDS = ("evaluate", PLANS / "shared.yaml", "--dataset", "cifar10", "--model", "resnet20")
SIZES = ("--set", "runtime.samples_per_shard=500", "--set", "runtime.shards_per_task=2")


@needs_shared
def test_ctrl_c_ends_soon_and_keeps_what_is_finished(start: Start, tmp_path: Path) -> None:
    running = start(*WORDS, *SIZES)
    deadline = time.monotonic() + 300
    while not list(tmp_path.glob("root/predictions/**/*.parquet")) and time.monotonic() < deadline:
        assert running.poll() is None, running.communicate()[0]
        time.sleep(0.1)
    # A terminal sends it to the whole foreground group, Prefect's server and the engine included.
    os.killpg(running.pid, signal.SIGINT)
    printed, _ = running.communicate(timeout=120)
    assert running.returncode == 3, printed
    assert "interrupted; what is finished is kept, run again for the rest" in printed
    assert "Traceback" not in printed
    assert list(tmp_path.glob("root/predictions/**/*.parquet"))


def test_a_server_that_is_away_is_named(start: Start) -> None:
    running = start("night", PLANS / "small.yaml", PREFECT_API_URL="http://127.0.0.1:9/api")
    printed, _ = running.communicate(timeout=120)
    assert running.returncode == 2, printed
    assert (
        "the Prefect server at http://127.0.0.1:9/api (PREFECT_API_URL) does not answer" in printed
    )
    assert "Traceback" not in printed
