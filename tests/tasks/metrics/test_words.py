import pytest

from tasks.metrics.summary import CLASS_NAMES, OVERALL_NAMES
from tasks.metrics.words import LOSSES, TITLES, counted, figure, metric_title


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("top1", "Top-1 accuracy"),
        ("top5", "Top-5 accuracy"),
        ("top1_failed_as_wrong", "Top-1, failed images counted as wrong"),
        ("recall", "Recall"),
        ("balanced_accuracy", "Balanced accuracy"),
        ("macro_f1", "Macro F1"),
        ("nll", "Negative log-likelihood"),
    ],
)
def test_a_metric_has_a_title_for_people(name: str, title: str) -> None:
    assert metric_title(name) == title


def test_no_two_metrics_share_a_title() -> None:
    names = {*OVERALL_NAMES, *CLASS_NAMES, *TITLES}
    titles = {metric_title(name) for name in names}
    assert len(titles) == len(names)
    assert not [title for title in titles if "_" in title or not title[0].isupper()]


def test_losses_are_metrics() -> None:
    assert set(OVERALL_NAMES) >= LOSSES


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
    ("n", "words", "text"),
    [
        (0, ("image",), "0 images"),
        (1, ("image",), "1 image"),
        (2_000, ("image",), "2,000 images"),
        (1, ("class", "classes"), "1 class"),
        (3, ("class", "classes"), "3 classes"),
    ],
)
def test_things_are_counted(n: int, words: tuple[str, ...], text: str) -> None:
    assert counted(n, *words) == text
