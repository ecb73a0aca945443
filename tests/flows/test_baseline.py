"""Nights and their baselines: promoted, unchanged, compared; and cut off in between."""

from pathlib import Path

import pytest

from flows.nightly import nightly
from flows.returned import taken
from shards.store import Store
from tasks.gates.decisions import NIGHTMARK, read_decisions
from tasks.layout import PairName, SplitName
from tasks.night import Night

PLAN = Path(__file__).parents[1] / "plans" / "small.yaml"
WORSE = "models.0.weights=package:conf/weights/cifar10_resnet8_v1.safetensors"
NO_DROP = "gates=[{metric: top1, min: 0.5}, {metric: top1, max_drop: 0.0, policy: point}]"
PAIR = PairName(SplitName("cifar10", "test"), "resnet8")


def run(*overrides: str) -> Night:
    return taken(nightly(PLAN, list(overrides), return_state=True), Night)


def test_a_night_that_passed_becomes_the_baseline_of_the_next(root: Path) -> None:
    store = Store.at(root)
    first = run(NO_DROP)
    assert first.state == "passed", "a change without a baseline is not applicable"
    assert [v.state for v in first.outcomes[0].verdicts] == ["passed", "not_applicable"]
    (made,) = read_decisions(store, PAIR)
    assert (made.who, made.night, made.kind) == (NIGHTMARK, first.name, "promote")

    again = run(NO_DROP)
    assert [v.state for v in again.outcomes[0].verdicts] == ["passed", "passed"]
    note = again.outcomes[0].comparison
    assert note is not None
    assert note.state == "unchanged"
    assert read_decisions(store, PAIR) == (made,), "the baseline is not promoted again"

    # As if the second night had been killed after its record and before its promotion.
    (root / PAIR.decision(made.id)).unlink()
    worse = run(NO_DROP, WORSE)
    (caught_up,) = read_decisions(store, PAIR)
    assert (caught_up.night, caught_up.evaluation) == (again.name, made.evaluation)
    (outcome,) = worse.outcomes
    assert outcome.state == "failed"
    assert outcome.comparison is not None
    assert outcome.comparison.state == "compared"
    assert outcome.comparison.sentence.startswith("Against the baseline resnet8 (e")
    page = (root / "nights" / worse.name / "index.html").read_text()
    assert "Against the baseline resnet8 (e" in page
    summary = (root / "nights" / worse.name / "summary.md").read_text()
    assert "% interval" in summary
    assert "broken, p = " in summary
    assert list(root.glob("comparisons/cifar10/test/resnet8/*/changed.parquet"))


@pytest.mark.parametrize(
    "overrides", [("promotion=manual",), ("gates.0={metric: top1, min: 0.9}",)]
)
def test_neither_manual_nor_inconclusive_nights_promote(root: Path, overrides: tuple) -> None:
    assert run(*overrides).state in ("passed", "inconclusive")
    assert read_decisions(Store.at(root), PAIR) == ()
