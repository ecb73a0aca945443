import numpy as np
import pytest

from tasks.gates.gate import Gate
from tasks.gates.judging import judge
from tasks.gates.sentences import VerdictState
from tasks.gates.verdict import overall_state
from tasks.metrics.intervals import wilson
from tasks.metrics.point_check import ClassThreshold, check_points
from tasks.metrics.scoring import Scoring
from tasks.metrics.threshold import ClassScores, Wanted
from tests.tasks.gates.zoo import OTTER, imagenet_like, of_each_class, of_otters, otter_of_1000, zoo
from tests.tasks.metrics.made_by_hand import scoring_of, tallies_of


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


def test_a_named_class_without_a_figure_cannot_be_judged() -> None:
    scoring = scoring_of(tallies_of(np.array([[0, 0], [0, 5]])))
    verdict = judge(Gate(metric="recall", classes=("c0",), min=0.5), scoring)
    assert verdict.state == "inconclusive"
    assert verdict.sentence == (
        "Recall of c0 is undefined: the dataset has no sample of this class; at least 50.0 % is "
        "required, and cannot be judged."
    )
