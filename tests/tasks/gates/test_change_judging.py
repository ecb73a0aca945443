"""Gates on the change against the baseline."""

import functools

import numpy as np
import pytest

from shards.sample import ClassList
from tasks.gates.baseline import Reference, compared_with, impossible, unchanged
from tasks.gates.deciding import Bound
from tasks.gates.gate import Gate
from tasks.gates.judging import judge
from tasks.gates.sentences import VerdictState
from tasks.gates.verdict import Verdict, overall_state
from tasks.metrics.change import Change, Tally, paired_change, unpaired_change
from tasks.metrics.paired import paired_interval
from tasks.metrics.scoring import Scoring
from tasks.records import Pair
from tests.support.compared import comparison, top1
from tests.tasks.metrics.made_by_hand import scoring_of, tallies_of

PAIR = Pair(dataset="animals", split="test", model="net")
NAMES = ("ant", "bee", "otter")
NO_WORSE = Gate(metric="top1", max_drop=0.01)


@functools.cache
def scoring(classes: int = 3) -> Scoring:
    names = NAMES if classes == 3 else tuple(f"c{index}" for index in range(classes))
    return scoring_of(tallies_of(np.diag([50] * classes)), ClassList.of_names(names))


def reference(*overall: Change, per_class: tuple[Change, ...] = ()) -> Reference:
    found = comparison(top1(0, 0), overall=overall, per_class=per_class)
    return compared_with(found, "d1")


def recall(index: int, fixed: int, broken: int, n: int = 50) -> Change:
    return paired_change("recall", (40, 40 + broken - fixed), (fixed, broken), n, 0.5, index, 0.5)


def nll(difference: float, reach: float) -> Change:
    return Change(
        metric="nll",
        baseline=0.5,
        candidate=0.5 + difference,
        difference=difference,
        low=difference - reach,
        high=difference + reach,
        n=1_000,
        method="student",
    )


@pytest.mark.parametrize(
    ("fixed", "broken", "proven", "not_disproven", "point"),
    [
        (30, 22, "passed", "passed", "passed"),  # +0.8, at least −0.6
        (22, 30, "inconclusive", "passed", "passed"),  # −0.8, down to −2.3
        (10, 30, "inconclusive", "passed", "failed"),  # −2.0, up to −0.8
        (5, 80, "failed", "failed", "failed"),  # −7.5
        (0, 0, "passed", "passed", "passed"),
    ],
)
def test_a_margin_is_judged_on_the_paired_interval(
    fixed: int, broken: int, proven: VerdictState, not_disproven: VerdictState, point: VerdictState
) -> None:
    for policy, expected in (
        ("proven", proven),
        ("not_disproven", not_disproven),
        ("point", point),
    ):
        gate = Gate(metric="top1", max_drop=0.01, policy=policy)
        assert judge(gate, scoring(), reference(top1(fixed, broken))).state == expected, policy


def test_the_sentence_gives_the_change_and_what_was_asked() -> None:
    verdict = judge(NO_WORSE, scoring(), reference(top1(5, 80)))
    assert verdict.sentence == (
        "Top-1 accuracy changed by −7.5 points (95 % interval −9.4 to −5.9), 5 fixed, 80 broken, "
        "p < 0.0001; at most 1.0 points below the baseline is required, and that is missed."
    )
    assert (verdict.evidence, verdict.changes) == ((), (top1(5, 80),))
    assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict
    unsure = judge(NO_WORSE, scoring(), reference(top1(22, 30)))
    assert unsure.sentence.endswith("is required; 1,000 images are too few to tell.")


def test_a_relative_margin_is_a_share_of_the_baselines_value() -> None:
    # The baseline is at 70.5 %, so that 2 % of it are 1.41 points.
    change = top1(0, 5, n=1_000)
    assert change.baseline == pytest.approx(0.705)
    low = change.interval(0.95)[0]
    assert -0.0141 < low < -0.01
    assert judge(NO_WORSE, scoring(), reference(change)).state == "inconclusive"
    gate = Gate(metric="top1", max_drop=0.02, relative=True)
    verdict = judge(gate, scoring(), reference(change))
    assert verdict.state == "passed"
    assert "at most 2 % of its value below the baseline is required" in verdict.sentence


def test_a_gain_must_be_shown() -> None:
    gate = Gate(metric="top1", min_gain=0.005)
    assert judge(gate, scoring(), reference(top1(80, 5))).state == "passed"
    assert judge(gate, scoring(), reference(top1(30, 22))).state == "inconclusive"
    assert judge(gate, scoring(), reference(top1(5, 80))).state == "failed"


@pytest.mark.parametrize(
    ("difference", "state"), [(0.2, "failed"), (0.05, "inconclusive"), (-0.1, "passed")]
)
def test_a_loss_may_not_rise(difference: float, state: VerdictState) -> None:
    gate = Gate(metric="nll", max_rise=0.05)
    verdict = judge(gate, scoring(), reference(nll(difference, 0.02)))
    assert verdict.state == state
    assert "at most 0.05 above the baseline is required" in verdict.sentence


def test_what_cannot_be_compared_proves_nothing() -> None:
    infinite = Change(metric="nll", state="infinite", n=5)
    verdict = judge(Gate(metric="nll", max_rise=0.1), scoring(), reference(infinite))
    assert verdict.state == "inconclusive"
    assert "a target was given the probability 0" in verdict.sentence
    assert judge(Gate(metric="top5", max_drop=0.1), scoring(), reference(top1(1, 1))).state == (
        "inconclusive"
    )


def test_other_images_are_judged_on_the_interval_of_two_sets() -> None:
    change = unpaired_change("top1", Tally(hits=700, n=1_000), Tally(hits=900, n=1_000))
    assert judge(NO_WORSE, scoring(), reference(change)).state == "failed"


def test_without_a_baseline_a_change_is_not_applicable() -> None:
    verdict = judge(NO_WORSE, scoring())
    assert verdict.state == "not_applicable"
    assert verdict.sentence.startswith("There is no baseline of animals/test/net yet")
    assert "`nightmark pin` names one" in verdict.sentence
    assert overall_state([verdict]) == "inconclusive"
    assert overall_state([verdict, judge(Gate(metric="top1", min=0.5), scoring())]) == "passed"


def test_a_baseline_that_cannot_be_compared_passes_nothing() -> None:
    broken = impossible(PAIR, "e1", "d1", "p.parquet is missing")
    verdict = judge(NO_WORSE, scoring(), broken)
    assert verdict.state == "inconclusive"
    assert "p.parquet is missing" in verdict.sentence


def test_the_baseline_itself_changed_by_nothing() -> None:
    same = unchanged(PAIR, "e1", "d1")
    assert judge(NO_WORSE, scoring(), same).state == "passed"
    assert judge(Gate(metric="top1", max_drop=0), scoring(), same).state == "passed"
    verdict = judge(Gate(metric="top1", min_gain=0.01), scoring(), same)
    assert verdict.state == "failed"
    assert "Unchanged: this is the baseline" in verdict.sentence


def test_each_class_fails_on_the_interval_widened_for_all_of_them() -> None:
    gate = Gate(metric="recall", scope="each_class", max_drop=0.1)
    changes = (recall(0, 2, 1), recall(1, 1, 3), recall(2, 0, 30))
    verdict = judge(gate, scoring(), reference(top1(1, 1), per_class=changes))
    assert (verdict.state, verdict.judged, verdict.failing) == ("failed", 3, 1)
    assert [c.class_index for c in verdict.changes] == [2, 1, 0]
    assert verdict.sentence.startswith(
        "Recall of otter changed by −60.0 points (98.3333 % interval"
    )
    worst = judge(
        gate.model_copy(update={"scope": "worst_class"}),
        scoring(),
        reference(top1(1, 1), per_class=changes),
    )
    assert (worst.state, len(worst.changes)) == ("failed", 1)


def test_a_named_class_without_a_common_image_is_not_passed() -> None:
    gate = Gate(metric="recall", classes=("otter",), max_drop=0.1)
    verdict = judge(gate, scoring(), reference(top1(1, 1), per_class=(recall(0, 1, 1),)))
    assert (verdict.state, verdict.judged) == ("inconclusive", 1)
    with pytest.raises(ValueError, match="'lynx' is no class of"):
        judge(gate.model_copy(update={"classes": ("lynx",)}), scoring())
    each = Gate(metric="recall", scope="each_class", max_drop=0.1)
    assert judge(each, scoring(), reference(top1(0, 0))).state == "inconclusive"


def drawn(generator: np.random.Generator, classes: int) -> np.ndarray:
    """Fixed and broken images of classes of 50: models alike that disagree on 5 % each way."""
    return generator.multinomial(50, [0.05, 0.05, 0.9], size=classes)[:, :2]


def test_equally_good_models_do_not_fail_1000_classes_by_chance() -> None:
    counts = drawn(np.random.default_rng(20_261_125), 1_000).tolist()
    fallen = sum(fixed - broken <= -5 for fixed, broken in counts)
    assert 12 <= fallen <= 35, "about 22 of 1,000 fall by ten points or more"
    changes = tuple(recall(index, *both) for index, both in enumerate(counts))
    compared = reference(top1(50, 50), per_class=changes)
    for margin in (0.0, 0.1):
        gate = Gate(metric="recall", scope="each_class", max_drop=margin)
        assert judge(gate, scoring(1_000), compared).state == "passed"
    point = Gate(metric="recall", scope="each_class", max_drop=0.1, policy="point")
    assert judge(point, scoring(1_000), compared).state == "failed"
    uncorrected = [c for c in changes if (c.interval(0.95) or (0, 0))[1] < 0]
    assert uncorrected, "one class at a time, chance fails some"
    fell = (*changes[:-1], recall(999, 0, 25))
    gate = Gate(metric="recall", scope="each_class", max_drop=0.1)
    assert judge(gate, scoring(1_000), reference(top1(50, 50), per_class=fell)).failing == 1


def test_many_nights_of_equally_good_models_rarely_fail() -> None:
    """Of 400 nights of 1,000 classes at most 5 % may fire, though nothing may fall at all."""
    generator = np.random.default_rng(3)
    bound = Bound(0.0, None, "not_disproven", 0.95)

    @functools.cache
    def fires(fixed: int, broken: int) -> bool:
        return (
            bound.decide(
                (fixed - broken) / 50,
                lambda level: paired_interval(fixed, broken, 50, level),
                1_000,
            )
            == "failed"
        )

    fired = sum(
        any(fires(*both) for both in {tuple(row) for row in drawn(generator, 1_000).tolist()})
        for _ in range(400)
    )
    assert fired <= 0.05 * 400
