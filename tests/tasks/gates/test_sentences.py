from dataclasses import replace

import pytest

from shards.sample import ClassList
from tasks.gates.sentences import (
    Demand,
    Judged,
    Policy,
    VerdictState,
    class_sentence,
    overall_sentence,
    with_interval,
)
from tasks.metrics.metric import Metric

ANIMALS = ClassList(names=("cat", "otter"), ids=("n01", "n02"))
OTTERS = Metric.proportion("recall", 6, 50, scope="class", class_index=1)
ENOUGH_OTTERS = Metric.proportion("recall", 45, 50, scope="class", class_index=1)
TOP1 = Demand("top1", 0.75, None, "proven", 0.95)
RECALL = Demand("recall", 0.5, None, "not_disproven", 0.95)


def of_recall(
    worst: list[Metric],
    state: VerdictState,
    *,
    judged: int = 1,
    deciding: int = 1,
    left_out: int = 0,
    demand: Demand = RECALL,
) -> str:
    return class_sentence(worst, state, ANIMALS, demand, Judged(judged, deciding, left_out))


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0.75, None, "at least 75.0 %"),
        (None, 0.9, "at most 90.0 %"),
        (0.5, 0.9, "at least 50.0 % and at most 90.0 %"),
        (0.0, None, "at least 0.0 %"),
    ],
)
def test_a_demand_says_its_bounds(low: float | None, high: float | None, text: str) -> None:
    assert str(replace(TOP1, low=low, high=high)) == text


def test_a_proportion_shows_its_counts_and_its_interval() -> None:
    assert with_interval(OTTERS, 0.95) == "12.0 % (6 of 50; 95 % interval 5.6 % to 23.8 %)"
    assert "(44,123 of 50,000; 99.9 % interval" in with_interval(
        Metric.proportion("top1", 44_123, 50_000), 0.999
    )


def test_f1_shows_no_share_that_it_is_not() -> None:
    assert with_interval(Metric.f1(6, 60, 1), 0.95).startswith("18.2 % (n = 60; 95 % interval")


def test_an_average_shows_no_share_that_it_is_not() -> None:
    fallback = Metric(name="macro_f1", value=1, low=0.9, high=1, n=35, method="wilson")
    assert with_interval(fallback, 0.95) == "100.0 % (n = 35; 95 % interval 90.0 % to 100.0 %)"


def test_a_loss_shows_its_interval_if_it_has_one() -> None:
    loss = Metric(name="nll", value=0.5, low=0.4, high=0.6, n=20, method="student")
    assert with_interval(loss, 0.95) == "0.5 (n = 20; 95 % interval 0.4 to 0.6)"
    alone = Metric(name="nll", value=0.5, n=1)
    assert with_interval(alone, 0.95) == "0.5 (n = 1; too few for an interval)"


def test_what_is_undefined_says_why() -> None:
    absent = Metric.undefined("recall", "absent_class", 0, 1)
    assert with_interval(absent, 0.95) == "undefined: the dataset has no sample of this class"


@pytest.mark.parametrize(
    ("state", "policy", "end"),
    [
        ("passed", "proven", "is required, and that is met."),
        ("passed", "point", "is required, and that is met."),
        ("passed", "not_disproven", "is required, and nothing shows that it is missed."),
        ("failed", "proven", "is required, and that is missed."),
        ("failed", "not_disproven", "is required, and that is missed."),
        ("inconclusive", "proven", "is required; 20 images are too few to tell."),
    ],
)
def test_overall_states_in_words(state: VerdictState, policy: Policy, end: str) -> None:
    metric = Metric.proportion("top1", 18, 20)
    assert overall_sentence(metric, state, replace(TOP1, policy=policy)) == (
        "Top-1 accuracy is 90.0 % (18 of 20; 95 % interval 69.9 % to 97.2 %); "
        f"at least 75.0 % {end}"
    )


def test_one_image_is_too_few() -> None:
    said = overall_sentence(Metric.proportion("top1", 1, 1), "inconclusive", TOP1)
    assert said.endswith("; 1 image is too few to tell.")


def test_an_overall_figure_that_is_undefined_or_infinite() -> None:
    missing = Metric.undefined("top1", "no_samples")
    assert overall_sentence(missing, "inconclusive", TOP1) == (
        "Top-1 accuracy is undefined: there is no labelled sample that was predicted; "
        "at least 75.0 % is required, and cannot be judged."
    )
    infinite = Metric.undefined("nll", "infinite", 10)
    assert overall_sentence(infinite, "failed", Demand("nll", None, 1.5, "proven", 0.95)) == (
        "Negative log-likelihood is infinite: a target was given the probability 0; "
        "at most 1.5 is required, and that is missed."
    )


def test_a_product_manager_reads_why_otters_fail() -> None:
    assert of_recall([OTTERS], "failed") == (
        "Recall of otter is 12.0 % (6 of 50; 95 % interval 5.6 % to 23.8 %); "
        "at least 50.0 % is required. "
        "That is: of 100 images that show otter, the model finds about 12."
    )


@pytest.mark.parametrize(
    ("judged", "interval"),
    [
        (1, "95 % interval 5.6 % to 23.8 %"),
        (10, "99.5 % interval 4.1 % to 30.2 %"),
        (1_000, "99.995 % interval 2.7 % to 40.1 %"),
    ],
)
def test_a_failing_class_shows_the_interval_that_decided(judged: int, interval: str) -> None:
    assert f"(6 of 50; {interval})" in of_recall([OTTERS], "failed", judged=judged)


@pytest.mark.parametrize("state", ["passed", "inconclusive"])
def test_what_did_not_fail_shows_the_interval_that_was_asked_for(state: VerdictState) -> None:
    said = of_recall([ENOUGH_OTTERS], state, judged=10)
    assert "(45 of 50; 95 % interval 78.6 % to 95.7 %)" in said


def test_precision_is_put_in_words_too() -> None:
    metric = Metric.proportion("precision", 6, 50, scope="class", class_index=1)
    said = of_recall([metric], "failed", demand=replace(RECALL, metric="precision"))
    assert said.startswith("Precision of otter is 12.0 %")
    assert said.endswith("of 100 times that the model says otter, it is right about 12 times.")


def test_f1_is_not_put_in_images() -> None:
    said = of_recall([Metric.f1(6, 60, 1)], "failed", demand=replace(RECALL, metric="f1"))
    assert said.startswith("F1 of otter is 18.2 %")
    assert said.endswith("at least 50.0 % is required.")


def test_several_failing_classes_are_counted() -> None:
    assert "2 of 2 classes miss it." in of_recall([OTTERS], "failed", judged=2, deciding=2)
    assert "miss it" not in of_recall([OTTERS], "failed")


@pytest.mark.parametrize(
    ("left_out", "end"),
    [
        (1, "1 class without a figure was left out."),
        (3, "3 classes without a figure were left out."),
    ],
)
def test_classes_that_are_left_out_are_counted(left_out: int, end: str) -> None:
    assert of_recall([OTTERS], "failed", left_out=left_out).endswith(end)


@pytest.mark.parametrize(
    ("policy", "judged", "start"),
    [
        (
            *("not_disproven", 2),
            "Required is at least 50.0 %, and none of 2 classes is shown to miss that; the worst: ",
        ),
        (
            *("not_disproven", 1),
            "Required is at least 50.0 %, and the class is not shown to miss that; the worst: ",
        ),
        ("proven", 2, "Each of 2 classes is shown to have at least 50.0 %; the worst: "),
        ("proven", 1, "The class is shown to have at least 50.0 %; the worst: "),
        ("point", 2, "Each of 2 classes has at least 50.0 %; the worst: "),
    ],
)
def test_a_pass_says_how_sure_it_is_and_names_the_weakest_class(
    policy: Policy, judged: int, start: str
) -> None:
    demand = replace(RECALL, policy=policy)
    said = of_recall([ENOUGH_OTTERS], "passed", judged=judged, demand=demand)
    assert said.startswith(f"{start}Recall of otter is 90.0 % (45 of 50;")


def test_what_cannot_be_told_is_said_so() -> None:
    said = of_recall(
        [Metric.proportion("recall", 25, 50, scope="class", class_index=1)], "inconclusive"
    )
    assert said.endswith("at least 50.0 % is required, and it is too close or too few to tell.")


def test_without_any_class_nothing_can_be_judged() -> None:
    assert of_recall([], "not_applicable", judged=0, deciding=0, left_out=2) == (
        "Recall: no class has one, so that at least 50.0 % cannot be judged. "
        "2 classes without a figure were left out."
    )
