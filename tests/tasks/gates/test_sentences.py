import pytest

from shards.sample import ClassList
from tasks.gates.sentences import (
    bound_text,
    class_sentence,
    figure,
    overall_sentence,
    with_interval,
)
from tasks.metrics.metric import Metric

ANIMALS = ClassList(names=("cat", "otter"), ids=("n01", "n02"))
OTTERS = Metric.proportion("recall", 6, 50, scope="class", class_index=1)


def of_recall(worst: list[Metric], state: str, **more: int) -> str:
    counts = {"judged": 2, "deciding": 1, "left_out": 0, **more}
    return class_sentence(worst, state, ANIMALS, low=0.5, high=None, metric="recall", **counts)


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("top1", 0.12, "12.0 %"),
        ("macro_f1", 1.0, "100.0 %"),
        ("recall", 0.0, "0.0 %"),
        ("nll", 0.24917, "0.2492"),
        ("brier", 2.0, "2"),
    ],
)
def test_shares_are_percentages_and_losses_are_numbers(
    metric: str, value: float, text: str
) -> None:
    assert figure(metric, value) == text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0.75, None, "at least 75.0 %"),
        (None, 0.9, "at most 90.0 %"),
        (0.5, 0.9, "at least 50.0 % and at most 90.0 %"),
        (0.0, None, "at least 0.0 %"),
    ],
)
def test_a_bound_says_what_is_demanded(low: float | None, high: float | None, text: str) -> None:
    assert bound_text("top1", low, high) == text


def test_a_proportion_shows_its_counts_and_its_interval() -> None:
    assert with_interval(OTTERS, 0.95) == "12.0 % (6 of 50; 95 % interval 5.6 % to 23.8 %)"
    assert "(44,123 of 50,000; 99.9 % interval" in with_interval(
        Metric.proportion("top1", 44_123, 50_000), 0.999
    )


def test_f1_shows_no_share_that_it_is_not() -> None:
    assert with_interval(Metric.f1(6, 60, 1), 0.95).startswith("18.2 % (n = 60; 95 % interval")


def test_a_loss_shows_its_interval_if_it_has_one() -> None:
    loss = Metric(name="nll", value=0.5, low=0.4, high=0.6, n=20, method="student")
    assert with_interval(loss, 0.95) == "0.5 (n = 20; 95 % interval 0.4 to 0.6)"
    alone = Metric(name="nll", value=0.5, n=1)
    assert with_interval(alone, 0.95) == "0.5 (n = 1; too few for an interval)"


def test_what_is_undefined_says_why() -> None:
    absent = Metric.undefined("recall", "absent_class", 0, 1)
    assert with_interval(absent, 0.95) == "undefined: the dataset has no sample of this class"


@pytest.mark.parametrize(
    ("state", "end"),
    [
        ("passed", "at least 75.0 % is required, and that is met."),
        ("failed", "at least 75.0 % is required, and that is missed."),
        ("inconclusive", "at least 75.0 % is required; 20 samples are too few to tell."),
    ],
)
def test_overall_states_in_words(state: str, end: str) -> None:
    said = overall_sentence(Metric.proportion("top1", 18, 20), state, 0.75, None, 0.95)
    assert said == f"top1 is 90.0 % (18 of 20; 95 % interval 69.9 % to 97.2 %); {end}"


def test_an_overall_figure_that_is_undefined_or_infinite() -> None:
    missing = Metric.undefined("top1", "no_samples")
    assert overall_sentence(missing, "inconclusive", 0.75, None, 0.95) == (
        "top1 is undefined: there is no labelled sample that was predicted; "
        "at least 75.0 % is required, and cannot be judged."
    )
    infinite = Metric.undefined("nll", "infinite", 10)
    assert overall_sentence(infinite, "failed", None, 1.5, 0.95) == (
        "nll is infinite: a target was given the probability 0; "
        "at most 1.5 is required, and that is missed."
    )


def test_a_product_manager_reads_why_otters_fail() -> None:
    assert of_recall([OTTERS], "failed") == (
        "recall of otter is 12.0 % (6 of 50; 95 % interval 5.6 % to 23.8 %); "
        "at least 50.0 % is required. "
        "That is: of 100 images that show otter, the model finds 12."
    )


def test_precision_is_put_in_words_too() -> None:
    metric = Metric.proportion("precision", 6, 50, scope="class", class_index=1)
    said = class_sentence(
        [metric],
        "failed",
        ANIMALS,
        judged=1,
        deciding=1,
        left_out=0,
        low=0.5,
        high=None,
        metric="precision",
    )
    assert said.endswith("of 100 times that the model says otter, it is right 12 times.")


def test_several_failing_classes_are_counted() -> None:
    assert "2 of 2 classes miss it." in of_recall([OTTERS], "failed", deciding=2)
    assert "miss it" not in of_recall([OTTERS], "failed")


def test_classes_that_are_left_out_are_counted() -> None:
    assert of_recall([OTTERS], "failed", left_out=3).endswith(
        "3 classes without a figure were left out."
    )


def test_a_pass_names_the_weakest_class() -> None:
    said = of_recall([Metric.proportion("recall", 45, 50, scope="class", class_index=1)], "passed")
    assert said.startswith("No class of 2 is shown to miss at least 50.0 %")
    assert "recall of otter is 90.0 % (45 of 50;" in said


def test_what_cannot_be_told_is_said_so() -> None:
    said = of_recall(
        [Metric.proportion("recall", 25, 50, scope="class", class_index=1)], "inconclusive"
    )
    assert said.endswith("at least 50.0 % is required, and it is too close or too few to tell.")


def test_without_any_class_nothing_can_be_judged() -> None:
    assert of_recall([], "not_applicable", judged=0, deciding=0, left_out=2) == (
        "No class has a recall, so that at least 50.0 % cannot be judged. "
        "2 classes without a figure were left out."
    )
