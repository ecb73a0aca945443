"""SIGKILL in the middle of inference: what is whole stays, and only the rest is computed."""

import re
import signal
import time
from pathlib import Path

import pytest

from tests.support.shared_data import needs_shared
from tests.system.conftest import Start
from tests.system.evaluating import PLAN, SHARDS, WORDS, predictions, results


@needs_shared
def test_a_killed_evaluation_goes_on_where_it_was(
    start: Start, tmp_path: Path, undisturbed: Path
) -> None:
    root = tmp_path / "root"
    victim = start(*WORDS)
    deadline = time.monotonic() + 300
    while len(predictions(root)) < 3 and time.monotonic() < deadline:
        assert victim.poll() is None, victim.communicate()[0]
        time.sleep(0.05)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    left = predictions(root)
    assert 3 <= len(left) < SHARDS
    assert not list(root.glob("scorings/**/*.json"))
    written = {path: path.stat().st_mtime_ns for path in left}

    again = start(*WORDS)
    printed, _ = again.communicate()
    assert again.returncode == 1, printed
    computed = re.search(r"Computed (\d+) shards .* reused (\d+)", printed)
    assert computed is not None, printed
    reused = int(computed.group(2))
    # The engine process may have finished one more shard, but only the flow writes.
    assert reused == len(left)
    assert int(computed.group(1)) == SHARDS - reused
    assert {path: path.stat().st_mtime_ns for path in left} == written
    assert results(root) == results(undisturbed)


@needs_shared
def test_a_killed_build_goes_on_to_the_same_bytes(start: Start, tmp_path: Path) -> None:
    def tars(root: Path) -> dict[str, bytes]:
        # Hidden files are being written, or were when their writer was killed: nobody's to read.
        shown = [path for path in root.glob("shards/**/*.[tj]*") if path.name[0] != "."]
        return {path.name: path.read_bytes() for path in shown}

    words = ("shard", PLAN, "--dataset", "cifar10", "--set", "runtime.samples_per_shard=100")
    undisturbed = tmp_path / "undisturbed"
    start(*words, NIGHTMARK_ROOT=str(undisturbed)).wait()
    root = tmp_path / "root"
    victim = start(*words)
    deadline = time.monotonic() + 120
    while len(tars(root)) < 10 and time.monotonic() < deadline:
        assert victim.poll() is None
        time.sleep(0.02)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    if len(tars(root)) > 99:
        pytest.fail("the build was over before it could be killed")
    assert start(*words).wait() == 0
    assert tars(root) == tars(undisturbed)
    assert len(tars(root)) == 102  # 100 tars, the manifest and ranges.json
