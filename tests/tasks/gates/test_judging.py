import dataclasses
import functools
import math
from pathlib import Path

import numpy as np
import pytest

from conf.gates import GatePreset
from shards.sample import ClassList
from tasks.gates.gate import Gate
from tasks.gates.judging import judge
from tasks.gates.sentences import VerdictState
from tasks.gates.verdict import Verdict, overall_state
from tasks.metrics.intervals import wilson
from tasks.metrics.point_check import ClassThreshold, check_points
from tasks.metrics.scoring import Scoring
from tasks.metrics.tallies import Sum, Tallies
from tasks.metrics.threshold import ClassScores, Wanted
from tests.tasks.metrics.made_by_hand import rows_of, scoring_of, tallies_of

DOCS = Path(__file__).parents[3] / "docs/gates.md"
PRESETS = ("cifar10", "imagenet")
NAMES = ("cat", "dog", "otter", "crane", "fox", "hare", "mole", "seal", "swan", "crane")
IDS = tuple(f"n{i:02}" for i in range(10))
ZOO = ClassList(names=NAMES, ids=IDS)
OTTER = 2


def zoo(hits: int = 6, of: int = 50) -> Scoring:
    """Ten classes of 250 images, all right, but otters: taken for seals unless they are hits."""
    counts = np.diag([250] * 10)
    counts[OTTER] = 0
    counts[OTTER, OTTER], counts[OTTER, 7] = hits, of - hits
    return scoring_of(tallies_of(counts), ZOO)


def counted(hits: int, n: int) -> Scoring:
    """One class of which ``hits`` of n are right."""
    return scoring_of(tallies_of(np.array([[hits, n - hits], [0, 0]])))


def losses(values: list[float]) -> Scoring:
    """A scoring with these negative log-likelihoods."""
    plain = tallies_of(np.diag([len(values), 0]))
    return scoring_of(dataclasses.replace(plain, nll=Sum.of(np.array(values))))


def preset_gates(preset: str) -> tuple[Gate, ...]:
    return GatePreset(preset=preset).gates()


def of_each_class(floor: float = 0.5, **more) -> Gate:
    return Gate(metric="recall", scope="each_class", min=floor, **more)


def of_otters(floor: float = 0.5, **more) -> Gate:
    return Gate(metric="recall", classes=("otter",), min=floor, **more)


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


@functools.cache
def imagenet_like() -> Scoring:
    """1,000 classes of 50 images; in truth every recall is at least 0.5, and 0.7 on average."""
    generator = np.random.default_rng(11)
    hits = generator.binomial(50, generator.uniform(0.5, 0.9, 1_000))
    counts = np.diag(hits)
    counts[np.arange(1_000), (np.arange(1_000) + 1) % 1_000] = 50 - hits
    return scoring_of(tallies_of(counts))


@functools.cache
def otter_of_1000(hits: int) -> Scoring:
    """1,000 classes of 50 images, all right, but those of class 360."""
    counts = np.diag([50] * 1_000)
    counts[360, 360], counts[360, 361] = hits, 50 - hits
    return scoring_of(tallies_of(counts))


@functools.cache
def imagenet_with_otters() -> Scoring:
    """1,000 classes of 50 images, 49 of each right, but of class 360 only 6."""
    hits = np.full(1_000, 49)
    hits[360] = 6
    counts = np.diag(hits)
    counts[np.arange(1_000), (np.arange(1_000) + 1) % 1_000] = 50 - hits
    return scoring_of(tallies_of(counts))


def test_among_1000_classes_chance_alone_fails_none_but_a_real_fall_does() -> None:
    scoring = imagenet_like()
    recalls = [m for m in scoring.per_class if m.name == "recall"]
    gate = of_each_class()
    uncorrected = [m for m in recalls if (m.interval(gate.confidence) or (0, 1))[1] < 0.5]
    assert uncorrected, "one class at a time, chance fails some"
    verdict = judge(gate, scoring)
    assert (verdict.state, verdict.judged, verdict.failing) == ("passed", 1_000, 0)
    assert judge(of_each_class(policy="proven"), scoring).state == "inconclusive"


def test_among_1000_classes_the_otters_still_fail() -> None:
    verdict = judge(of_each_class(), otter_of_1000(6))
    assert (verdict.state, verdict.failing) == ("failed", 1)
    assert verdict.evidence[0].class_index == 360


def test_a_share_of_alpha_fails_each_of_many_classes() -> None:
    # 14 of 50 is below a half alone, and not as one of 1,000.
    assert wilson(14, 50)[1] < 0.5 < wilson(14, 50, 1 - 0.05 / 1_000)[1]
    assert judge(of_otters(), zoo(14)).state == "failed"
    assert judge(of_each_class(), otter_of_1000(14)).state == "passed"
    assert judge(of_each_class(policy="point"), otter_of_1000(14)).state == "failed"


def absent_otters() -> Scoring:
    return zoo(hits=0, of=0)


def test_an_absent_class_is_left_out_of_each_class_and_said_so() -> None:
    verdict = judge(of_each_class(), absent_otters())
    assert (verdict.state, verdict.judged) == ("passed", 9)
    assert "left out" in verdict.sentence


@pytest.mark.parametrize("policy", ["proven", "not_disproven", "point"])
def test_an_absent_class_that_someone_named_is_inconclusive(policy: str) -> None:
    verdict = judge(of_otters(policy=policy), absent_otters())
    assert (verdict.state, verdict.judged) == ("inconclusive", 1)
    assert "the dataset has no sample of this class" in verdict.sentence


def test_a_class_never_predicted_fails_on_recall_and_has_no_precision() -> None:
    scoring = zoo(hits=0)
    assert judge(of_each_class(), scoring).state == "failed"
    assert judge(Gate(metric="f1", scope="each_class", min=0.5), scoring).state == "failed"
    named = judge(Gate(metric="precision", classes=("otter",), min=0.5), scoring)
    assert named.state == "inconclusive"
    assert "the model never predicted this class" in named.sentence


def test_a_class_is_named_by_id_or_by_unique_name() -> None:
    assert judge(Gate(metric="recall", classes=("n02",), min=0.5), zoo()).state == "failed"
    assert judge(Gate(metric="recall", classes=("n03", "fox"), min=0.5), zoo()).judged == 2


def test_a_foreign_class_is_refused() -> None:
    with pytest.raises(ValueError, match="'lynx' is no class of"):
        judge(Gate(metric="recall", classes=("lynx",), min=0.5), zoo())


def test_an_ambiguous_class_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'crane' names several classes of .* use the class id"):
        judge(Gate(metric="recall", classes=("crane",), min=0.5), zoo())


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


def with_otter_point(hits: int, support: int) -> Scoring:
    """The zoo with a threshold on otters that finds ``hits`` of ``support``, and nothing else."""
    wanted = Wanted(metric="recall", value=0.9)
    found = np.arange(support) < hits
    scores = ClassScores(OTTER, found.astype(float), np.ones(support, dtype=bool), *[found] * 3)
    threshold = ClassThreshold(class_index=OTTER, threshold=0.5, wanted=wanted)
    checks = check_points([threshold], lambda _: scores)
    per_class = (*zoo().per_class, *checks[0].metrics)
    return zoo().model_copy(update={"per_class": per_class, "operating_points": checks})


@pytest.mark.parametrize(
    ("hits", "state"), [(500, "passed"), (445, "inconclusive"), (300, "failed")]
)
def test_a_gate_holds_an_operating_point(hits: int, state: VerdictState) -> None:
    gate = Gate(metric="recall_at_threshold", classes=("otter",), min=0.9)
    verdict = judge(gate, with_otter_point(hits, 500))
    assert verdict.state == state
    assert f"Recall at threshold of otter is {hits / 5:.1f} %" in verdict.sentence


def test_a_gate_on_a_class_without_an_operating_point_is_refused() -> None:
    gate = Gate(metric="precision_at_threshold", classes=("cat",), min=0.9)
    with pytest.raises(ValueError, match="no operating point of cat; name its file under"):
        judge(gate, with_otter_point(500, 500))
    each = Gate(metric="precision_at_threshold", scope="each_class", min=0.9)
    assert judge(each, with_otter_point(500, 500)).judged == 1
    assert judge(each, zoo()).state == "not_applicable"


def test_a_figure_that_no_class_has_is_not_passed_over() -> None:
    """Without kept scores nothing is known of the areas: the gate may not let a model through."""
    scoring = scoring_of(tallies_of(np.diag([50, 50])))
    each = Gate(metric="average_precision", scope="each_class", min=0.5)
    verdict = judge(each, scoring)
    assert (verdict.state, verdict.judged) == ("inconclusive", 0)
    assert "2 classes without a figure were left out." in verdict.sentence
    assert overall_state([judge(Gate(metric="top1", min=0.5), scoring), verdict]) == "inconclusive"
    # Where nobody chose an operating point there is nothing to judge.
    points = Gate(metric="recall_at_threshold", scope="each_class", min=0.5)
    assert judge(points, scoring).state == "not_applicable"


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


def test_a_named_class_without_a_figure_cannot_be_judged() -> None:
    scoring = scoring_of(tallies_of(np.array([[0, 0], [0, 5]])))
    verdict = judge(Gate(metric="recall", classes=("c0",), min=0.5), scoring)
    assert verdict.state == "inconclusive"
    assert verdict.sentence == (
        "Recall of c0 is undefined: the dataset has no sample of this class; at least 50.0 % is "
        "required, and cannot be judged."
    )
