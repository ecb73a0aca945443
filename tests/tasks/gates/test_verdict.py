import numpy as np
import pytest

from tasks.gates.gate import Gate
from tasks.gates.judging import judge
from tasks.gates.sentences import VerdictState
from tasks.gates.verdict import Verdict, overall_state
from tasks.metrics.intervals import wilson
from tests.tasks.gates.zoo import (
    counted,
    imagenet_like,
    of_each_class,
    of_otters,
    otter_of_1000,
    zoo,
)
from tests.tasks.metrics.made_by_hand import scoring_of, tallies_of


def verdict_of(state: VerdictState, severity: str = "fail") -> Verdict:
    return Verdict(
        gate=Gate(metric="top1", min=0.5, severity=severity),
        state=state,
        sentence="",
        evidence=(),
        judged=1,
        failing=0,
    )


def test_without_gates_nothing_is_proven() -> None:
    assert overall_state([]) == "inconclusive"


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (["passed", "passed"], "passed"),
        (["passed", "inconclusive"], "inconclusive"),
        (["inconclusive", "failed", "passed"], "failed"),
        (["passed", "not_applicable"], "passed"),
        (["not_applicable"], "inconclusive"),
    ],
)
def test_the_worst_verdict_decides(states: list[VerdictState], expected: VerdictState) -> None:
    assert overall_state([verdict_of(state) for state in states]) == expected


def test_a_warning_does_not_count() -> None:
    warning = verdict_of("failed", "warn")
    assert overall_state([verdict_of("passed"), warning]) == "passed"
    assert overall_state([warning]) == "inconclusive"
    assert judge(of_otters(severity="warn"), zoo()).state == "failed"


def test_evidence_comes_worst_first() -> None:
    counts = np.diag([50] * 4)
    for index, hits in enumerate((20, 6, 50, 12)):
        counts[index, index], counts[index, 2] = hits, 50 - hits
    counts[2] = [0, 0, 50, 0]
    verdict = judge(of_each_class(), scoring_of(tallies_of(counts)))
    assert [m.class_index for m in verdict.evidence] == [1, 3, 0, 2]
    assert (verdict.state, verdict.failing, verdict.judged) == ("failed", 2, 4)


def test_evidence_comes_worst_first_although_a_class_is_absent() -> None:
    # Recalls 0.6, none and 0.5, all inconclusive: 0.5 is worse than 0.6.
    counts = np.array([[30, 0, 20], [0, 0, 0], [25, 0, 25]])
    gate = Gate(metric="recall", classes=("c0", "c1", "c2"), min=0.55)
    verdict = judge(gate, scoring_of(tallies_of(counts)))
    assert verdict.state == "inconclusive"
    assert [m.value for m in verdict.evidence if m.value is not None] == [0.5, 0.6]


def test_the_worst_class_is_judged_as_one_of_all() -> None:
    gate = Gate(metric="recall", scope="worst_class", min=0.5)
    verdict = judge(gate, zoo())
    assert (verdict.state, verdict.judged, len(verdict.evidence)) == ("failed", 10, 1)
    assert "(6 of 50; 99.5 % interval" in verdict.sentence
    # As one of 1,000 it was picked for looking bad: 14 of 50 do not fail, named they would.
    assert judge(gate, otter_of_1000(14)).state == "passed"
    assert judge(gate.model_copy(update={"policy": "proven"}), zoo(40)).state == "passed"


def test_evidence_is_short() -> None:
    verdict = judge(of_each_class(), imagenet_like())
    assert len(verdict.evidence) == 10
    assert verdict.judged == 1_000


def test_the_sentence_gives_the_interval_at_the_confidence_of_the_gate() -> None:
    # 18 of 50: below a half at 95 %, not at 99 %. The sentence must not deny the state.
    assert wilson(18, 50)[1] < 0.5 < wilson(18, 50, 0.99)[1]
    verdict = judge(of_otters(confidence=0.99), zoo(18))
    assert verdict.state == "inconclusive"
    low, high = wilson(18, 50, 0.99)
    assert f"99 % interval {100 * low:.1f} % to {100 * high:.1f} %" in verdict.sentence


def test_a_verdict_survives_json() -> None:
    verdict = judge(of_each_class(), zoo())
    assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict


@pytest.mark.parametrize(
    ("right", "n", "gate", "said"),
    [
        (9_999, 10_000, {"min": 1.0}, "99.99 % (9,999 of 10,000; "),
        (1, 10_000, {"min": 0.5}, "0.01 % (1 of 10,000; "),
        (7_496, 10_000, {"min": 0.7496}, "75.0 % (7,496 of 10,000; "),
        (7_499, 10_000, {"min": 0.75}, "74.99 % (7,499 of 10,000; "),
        (749_999, 1_000_000, {"min": 0.75}, "74.9999 % (749,999 of 1,000,000; "),
        (7_600, 10_000, {"min": 0.75}, "76.0 % (7,600 of 10,000; "),
    ],
)
def test_a_sentence_does_not_round_a_figure_onto_its_bound(
    right: int, n: int, gate: dict, said: str
) -> None:
    entry = Gate.model_validate({"metric": "top1", "policy": "point", **gate})
    assert said in judge(entry, counted(right, n)).sentence


def test_bounds_are_written_as_they_were_given() -> None:
    assert str(Gate(metric="top1", min=0.9995)) == "Top-1 accuracy overall at least 99.95 %"
    drop = Gate(metric="top1", max_drop=0.0004)
    assert str(drop) == "Top-1 accuracy overall at most 0.04 points below the baseline"
    assert str(Gate(metric="nll", max=0.123456)).endswith("at most 0.123456")
