"""A night with a deadline: what is whole is published, and the next night does the rest."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from flows.nightly import nightly
from flows.returned import taken
from tasks.night import Night

PLAN = Path(__file__).parents[1] / "plans" / "small.yaml"
SHARDS = 4
Command = Callable[..., int]


def model(name: str, factory: str, weights: Path) -> str:
    return (
        f"{{name: {name}, priority: {-len(name)}, weights: {weights}, "
        f"loader: 'module:tests.support.faulty_models:{factory}', "
        f"preprocessing: {{mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}}}}"
    )


def test_at_the_deadline_what_is_whole_is_published_and_nothing_is_lost(
    root: Path, tmp_path: Path
) -> None:
    weights = tmp_path / "one.safetensors"
    save_file({"weight": torch.zeros(1)}, weights)
    models = f"models=[{model('after', 'sound', weights)}, {model('slow', 'slow', weights)}]"
    # Four shards take 1.6 seconds at least.
    state = nightly(PLAN, [models, "gates=[]"], deadline="1s", return_state=True)
    night = taken(state, Night)
    assert (state.name, night.state) == ("Incomplete", "incomplete")
    assert night.deadline is not None
    assert (night.deadline - night.started).total_seconds() == pytest.approx(1)
    slow, after = night.outcomes
    assert (slow.pair.model, after.pair.model) == ("slow", "after"), "by their priority"
    assert slow.cut_off
    assert after.cut_off
    assert slow.work.computed < SHARDS
    assert f"{slow.work.computed} of 4 shards are predicted" in slow.message
    assert "this pair was not begun" in after.message
    message = state.message or ""
    assert "came first: 2 of 2 pairs were not measured to the end" in message
    assert message.endswith("which computes only what is missing, or give it more time.")
    kept = {path: path.stat().st_mtime_ns for path in root.glob("predictions/**/*.parquet")}
    assert len(kept) == slow.work.computed
    assert not [path for path in root.rglob(".*") if path.is_file()]
    assert (root / "nights" / night.name / "index.html").is_file()

    again = taken(nightly(PLAN, [models, "gates=[]"], return_state=True), Night)
    assert [outcome.state for outcome in again.outcomes] == ["inconclusive", "inconclusive"]
    assert again.outcomes[0].work.reused == slow.work.computed
    assert again.outcomes[0].work.computed == SHARDS - slow.work.computed
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_a_deadline_that_is_none_costs_nothing(
    root: Path, nightmark: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert nightmark("night", PLAN, "--deadline", "soon") == 2
    assert "'soon' is no deadline: write a duration as 3h" in capsys.readouterr().err
    assert not [path for path in root.rglob("*") if path.is_file()]
