"""``nightmark gate-backtest`` over stored nights."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from shards.store import Store
from tests.support.stored import logits, outcome_of, pair_name, store_evaluation, store_night

Command = Callable[..., int]
PLAN = """
name: made
datasets: [{name: made, split: test, source: folder, location: images}]
models: [{name: net, loader: 'timm:resnet18'}]
gates: [{metric: top1, min: 0.8}, {metric: top1, max_drop: 0.01}]
"""
TARGETS = np.arange(300) % 3


def test_past_nights_are_judged_by_the_gates_of_today(
    root: Path, nightmark: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN)
    store = Store.at(root)
    names = []
    for day, skill in enumerate((4.0, 1.0, 1.1)):
        scores = logits(TARGETS, 3, skill=skill, seed=day)
        stored = store_evaluation(
            store, pair_name("net"), scores, TARGETS.tolist(), version=str(day)
        )
        names.append(store_night(store, day, outcome_of(stored)).name)
    lost = store_night(store, 5, outcome_of(stored, scoring="gone"))
    assert nightmark("gate-backtest", plan) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "Top-1 accuracy overall at least 80.0 %: 3 nights: 1 passed, 2 failed" in printed
    assert f"it would have fired first in {names[1]} and last in {names[2]}" in printed
    assert "below the baseline: 3 nights: 3 not applicable" in printed
    assert f"not judged: {lost.name}, made/test/net:" in printed
    assert nightmark("gate-backtest", plan, "--fired") == 0
    table = capsys.readouterr().out.split("made/test/net: Top-1")[0]
    assert names[0] not in table
    assert names[1] in table


def test_without_nights_it_is_said(
    root: Path, nightmark: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "plan.yaml").write_text(PLAN)
    assert nightmark("gate-backtest", tmp_path / "plan.yaml") == 0
    assert "no stored night evaluated a pair of this plan" in " ".join(
        capsys.readouterr().out.split()
    )
