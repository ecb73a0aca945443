import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

from conf.gates import GatePreset
from tasks.gates.gate import Gate
from tasks.gates.judging import judge
from tasks.gates.sentences import VerdictState
from tasks.gates.verdict import overall_state
from tasks.metrics.intervals import wilson
from tasks.metrics.scoring import Scoring
from tasks.metrics.tallies import Sum, Tallies
from tests.tasks.gates.zoo import (
    OTTER,
    counted,
    imagenet_with_otters,
    of_each_class,
    of_otters,
    zoo,
)
from tests.tasks.metrics.made_by_hand import rows_of, scoring_of, tallies_of

DOCS = Path(__file__).parents[3] / "docs/gates.md"
PRESETS = ("cifar10", "imagenet")


def losses(values: list[float]) -> Scoring:
    """A scoring with these negative log-likelihoods."""
    plain = tallies_of(np.diag([len(values), 0]))
    return scoring_of(dataclasses.replace(plain, nll=Sum.of(np.array(values))))


def preset_gates(preset: str) -> tuple[Gate, ...]:
    return GatePreset(preset=preset).gates()


@pytest.mark.parametrize(
    ("gate", "interval"),
    [
        (of_each_class(), "99.5 % interval 4.1 % to 30.2 %"),
        (of_otters(), "95 % interval 5.6 % to 23.8 %"),
    ],
)
def test_98_percent_right_and_12_percent_of_otters_fails(gate: Gate, interval: str) -> None:
    scoring = zoo()
    top1 = scoring.metric("top1").value
    assert top1 == pytest.approx(0.98, abs=0.002)
    verdict = judge(gate, scoring)
    assert (verdict.state, verdict.failing) == ("failed", 1)
    assert verdict.evidence[0].class_index == OTTER
    assert verdict.sentence.startswith(f"Recall of otter is 12.0 % (6 of 50; {interval});")
    assert "of 100 images that show otter, the model finds about 12." in verdict.sentence
    overall = judge(Gate(metric="top1", min=0.85), scoring)
    assert overall.state == "passed"
    assert overall_state([overall, verdict]) == "failed"


def test_a_named_class_needs_no_correction() -> None:
    # At most 23.8 % alone; as one of ten classes at most 30.2 %, which misses no floor of 30 %.
    assert judge(of_otters(0.3), zoo()).state == "failed"
    assert wilson(6, 50)[1] < 0.3 < wilson(6, 50, 1 - 0.05 / 10)[1]


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("classes", [10, 1_000])
def test_every_preset_finds_the_otters(preset: str, classes: int) -> None:
    scoring = zoo() if classes == 10 else imagenet_with_otters()
    assert scoring.metric("top1").value == pytest.approx(0.98, abs=0.002)
    verdicts = [judge(gate, scoring) for gate in preset_gates(preset)]
    recall = verdicts[-1]
    assert [v.state for v in verdicts[:-1]] == ["passed"] * (len(verdicts) - 1)
    assert (recall.state, recall.judged, recall.failing) == ("failed", classes, 1)
    assert recall.evidence[0].value == 0.12
    assert "at least 50.0 % is required. That is: of 100 images that show" in recall.sentence
    assert recall.sentence.endswith("the model finds about 12.")
    assert overall_state(verdicts) == "failed"


def test_strong_accuracy_does_not_hide_the_otters() -> None:
    top1, recall = (judge(gate, zoo()) for gate in preset_gates("cifar10"))
    assert top1.sentence == (
        "Top-1 accuracy is 98.1 % (2,256 of 2,300; 95 % interval 97.4 % to 98.6 %); at least "
        "85.0 % is required, and that is met. That is strong."
    )
    assert recall.sentence == (
        "Recall of otter is 12.0 % (6 of 50; 99.5 % interval 4.1 % to 30.2 %); at least 50.0 % is "
        "required. That is: of 100 images that show otter, the model finds about 12."
    )
    assert overall_state([top1, recall]) == "failed"


@pytest.mark.parametrize(
    ("preset", "hits", "words"),
    [
        ("cifar10", 690, "That is bad; the interval reaches from bad to fair."),
        ("cifar10", 780, "That is fair."),
        ("cifar10", 900, "That is good."),
        ("imagenet", 450, "That is bad."),
        ("imagenet", 600, "That is fair."),
        ("imagenet", 800, "That is good."),
    ],
)
def test_the_textbooks_bands_are_words_of_the_verdict(preset: str, hits: int, words: str) -> None:
    verdict = judge(preset_gates(preset)[0], counted(hits, 1_000))
    assert verdict.sentence.endswith(words)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_asks_for_accuracy_and_for_half_of_each_class(preset: str) -> None:
    gates = preset_gates(preset)
    assert any(gate.metric == "top1" and gate.min for gate in gates)
    [recall] = [gate for gate in gates if gate.scope == "each_class"]
    assert (recall.metric, recall.min, recall.severity) == ("recall", 0.5, "fail")


@pytest.mark.parametrize(
    ("hits", "n", "proven", "not_disproven", "point"),
    [
        (18, 20, "inconclusive", "passed", "passed"),  # 90 %, but from 70 % on
        (14, 20, "inconclusive", "passed", "failed"),
        (10, 20, "failed", "failed", "failed"),  # 50 %, at most 70 %
        (15, 20, "inconclusive", "passed", "passed"),  # the bound itself
        (180, 200, "passed", "passed", "passed"),
        (1, 1, "inconclusive", "passed", "passed"),
        (0, 1, "inconclusive", "passed", "failed"),
    ],
)
def test_policies(
    hits: int, n: int, proven: VerdictState, not_disproven: VerdictState, point: VerdictState
) -> None:
    for policy, expected in (
        ("proven", proven),
        ("not_disproven", not_disproven),
        ("point", point),
    ):
        gate = Gate(metric="top1", min=0.75, policy=policy)
        assert judge(gate, counted(hits, n)).state == expected, policy


def test_20_images_never_prove_75_percent_with_18_right() -> None:
    verdict = judge(Gate(metric="top1", min=0.75), counted(18, 20))
    assert verdict.gate.effective_policy == "proven"
    assert verdict.state == "inconclusive"
    assert "20 images are too few to tell" in verdict.sentence
    assert overall_state([verdict]) == "inconclusive"


@pytest.mark.parametrize(
    ("judged", "title", "hits"),
    [(1, "1 (named)", 18), (10, "10 (`cifar10`)", 15), (1_000, "1,000 (`imagenet`)", 10)],
)
def test_the_table_of_small_classes_in_the_docs(judged: int, title: str, hits: int) -> None:
    confidence = 1 - 0.05 / judged
    assert wilson(hits, 50, confidence)[1] < 0.5 < wilson(hits + 1, 50, confidence)[1]
    row = f"| {title} | {100 * confidence:.6g} % | up to {hits} right |"
    assert row in DOCS.read_text(encoding="utf-8")


def test_a_bound_that_is_just_met_is_met() -> None:
    low, high = wilson(18, 20)
    assert judge(Gate(metric="top1", min=low), counted(18, 20)).state == "passed"
    assert judge(Gate(metric="top1", min=math.nextafter(low, 1)), counted(18, 20)).state != "passed"
    at_most = Gate(metric="top1", max=high)
    assert judge(at_most, counted(18, 20)).state == "passed"


@pytest.mark.parametrize(
    ("low", "high", "state"),
    [(0.5, 0.99, "passed"), (0.5, 0.8, "inconclusive"), (0.1, 0.6, "failed"), (0.99, 1, "failed")],
)
def test_both_bounds_count(low: float, high: float, state: VerdictState) -> None:
    assert judge(Gate(metric="top1", min=low, max=high), counted(18, 20)).state == state


def test_more_confidence_asks_for_more_samples() -> None:
    scoring = counted(85, 100)
    states = [
        judge(Gate(metric="top1", min=0.76, confidence=c), scoring).state for c in (0.9, 0.95, 0.99)
    ]
    assert states == ["passed", "passed", "inconclusive"]


def test_an_infinite_loss_fails_at_most_and_is_no_number() -> None:
    scoring = scoring_of(Tallies.of(rows_of(np.array([[1.0, 0.0], [0.5, 0.5]]), [1, 1]), 2))
    assert scoring.metric("nll").state == "infinite"
    verdict = judge(Gate(metric="nll", max=100), scoring)
    assert verdict.state == "failed"
    assert "infinite" in verdict.sentence
    for policy in ("not_disproven", "point"):
        assert judge(Gate(metric="nll", max=100, policy=policy), scoring).state == "failed"


@pytest.mark.parametrize(
    ("bound", "state"), [(2.0, "passed"), (1.0, "inconclusive"), (0.5, "failed")]
)
def test_a_loss_is_judged_on_students_interval(bound: float, state: VerdictState) -> None:
    assert judge(Gate(metric="nll", max=bound), losses([0.8, 0.9, 1.0, 1.1, 1.2])).state == state


def test_one_loss_proves_nothing() -> None:
    verdict = judge(Gate(metric="nll", max=2), losses([1.0]))
    assert verdict.state == "inconclusive"
    assert judge(Gate(metric="nll", max=2, policy="point"), losses([1.0])).state == "passed"


def test_without_samples_nothing_is_proven() -> None:
    empty = counted(0, 0)
    verdicts = [judge(gate, empty) for gate in (Gate(metric="top1", min=0.5), of_each_class())]
    assert [v.state for v in verdicts] == ["inconclusive", "inconclusive"]
    assert overall_state(verdicts) == "inconclusive"
    assert overall_state(verdicts[1:]) == "inconclusive"
    for policy in ("not_disproven", "point"):
        gate = Gate(metric="top1", min=0.5, policy=policy)
        assert judge(gate, empty).state == "inconclusive"
