import pytest
from pydantic import ValidationError

from tasks.gates.gate import UNCOUNTED, Gate
from tasks.metrics.confusion import AVERAGES


def test_policies_unless_given() -> None:
    def policy(**entry: object) -> str:
        return Gate.model_validate(entry).effective_policy

    assert policy(metric="top1", min=0.5) == policy(metric="top1", max_drop=0.01) == "proven"
    each = {"metric": "recall", "scope": "each_class"}
    assert policy(**each, min=0.5) == policy(**each, max_drop=0.1) == "not_disproven"
    assert policy(metric="recall", classes=("otter",), min=0.5) == "proven"
    assert policy(**each, min=0.5, policy="proven") == "proven"
    assert policy(metric="recall", scope="worst_class", min=0.5) == "not_disproven"
    assert policy(metric="top1", scope="slice", slices=("a=b",), min=0.5) == "proven"
    assert policy(metric="top1", scope="slice", min=0.5) == "not_disproven"


@pytest.mark.parametrize("metric", [*AVERAGES, "nll", "brier"])
def test_what_has_no_counts_is_judged_at_95_percent_only(metric: str) -> None:
    assert metric in UNCOUNTED
    with pytest.raises(ValidationError, match=rf"{metric} has its interval at 0\.95 only"):
        Gate(metric=metric, min=0.5, confidence=0.99)
    assert Gate(metric=metric, min=0.5, confidence=0.95).confidence == 0.95


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        ({"metric": "top1"}, "needs `min` or `max`, or a change"),
        ({"metric": "top1", "min": 0.9, "max": 0.1}, "above max"),
        ({"metric": "top0", "min": 0.9}, "no such metric"),
        ({"metric": "recall", "min": 0.9}, "no such metric"),
        ({"metric": "top1", "scope": "each_class", "min": 0.9}, "no such metric"),
        ({"metric": "top1", "classes": ("otter",), "min": 0.9}, "no such metric"),
        ({"metric": "recall", "classes": (), "min": 0.9}, "classes"),
        ({"metric": "top1", "min": 0.9, "confidence": 1}, "less than 1"),
        ({"metric": "top1", "min": 0.9, "confidence": 0}, "greater than 0"),
        ({"metric": "top1", "min": 0.9, "policy": "hope"}, "policy"),
        ({"metric": "top1", "min": 0.9, "colour": "red"}, "colour"),
        ({"metric": "top1", "max_drop": 0.01, "min_gain": 0.01}, "exclude each other"),
        ({"metric": "top1", "max_drop": 0.01, "min": 0.5}, "are two gates"),
        ({"metric": "top1", "min": 0.5, "relative": True}, "`relative` belongs to `max_drop`"),
        ({"metric": "top1", "max_rise": 0.1}, "top1 gets worse when it drops: `max_drop`"),
        ({"metric": "nll", "max_drop": 0.1}, "nll gets worse when it rises: `max_rise`"),
        ({"metric": "top1", "max_drop": -0.01}, "must be a share between 0 and 1"),
        ({"metric": "top1", "max_drop": 1}, None),
        ({"metric": "top1", "max_drop": 2}, "must be a share between 0 and 1"),
        ({"metric": "nll", "max_rise": float("inf")}, "must be at least 0"),
        ({"metric": "nll", "max_rise": 2, "relative": True}, "a share between 0 and 1"),
        ({"metric": "macro_f1", "max_drop": 0.1}, "has no change that is compared; allowed here"),
        ({"metric": "f1", "scope": "each_class", "max_drop": 0.1}, "allowed here: recall"),
        ({"metric": "top1", "scope": "slice", "max_drop": 0.1}, "slices are not compared"),
        ({"metric": "nll", "scope": "slice", "max": 1}, "slices have top-k accuracy, not nll"),
        ({"metric": "recall", "scope": "worst_class", "max": 0.9}, "needs `min`"),
        ({"metric": "top1", "slices": ("a=b",), "min": 0.9}, "`slices` needs `scope: slice`"),
        (
            {"metric": "recall", "scope": "slice", "classes": ("a",), "min": 0.9},
            "`classes` and `scope: slice` exclude each other",
        ),
        ({"metric": "nll", "max_rise": 0.1, "confidence": 0.9}, "interval at 0.95 only"),
        ({"metric": "nll", "max": 1, "bands": {"good": 0.9}}, "`bands` are of shares"),
        (
            {"metric": "recall", "scope": "each_class", "min": 0.5, "bands": {"good": 0.9}},
            "`bands` belong to an overall gate",
        ),
    ],
)
def test_what_is_no_gate_is_refused(entry: dict, fault: str | None) -> None:
    if fault is None:
        assert Gate(**entry).is_change
        return
    with pytest.raises(ValidationError, match=fault):
        Gate(**entry)


def test_a_gate_may_be_for_some_datasets_and_models() -> None:
    gate = Gate(metric="top1", min=0.5, datasets=("cifar10",), models=("a", "b"))
    assert gate.applies_to("cifar10", "b")
    assert not gate.applies_to("imagenet", "b")
    assert not gate.applies_to("cifar10", "c")
    assert Gate(metric="top1", min=0.5).applies_to("any", "thing")


@pytest.mark.parametrize(
    ("gate", "text"),
    [
        (Gate(metric="top1", min=0.75), "Top-1 accuracy overall at least 75.0 %"),
        (
            Gate(metric="recall", scope="each_class", min=0.5),
            "Recall of each class at least 50.0 %",
        ),
        (Gate(metric="recall", classes=("otter",), min=0.5), "Recall of otter at least 50.0 %"),
        (Gate(metric="nll", max=1.2), "Negative log-likelihood overall at most 1.2"),
        (
            Gate(metric="recall", scope="worst_class", min=0.5),
            "Recall of the worst class at least 50.0 %",
        ),
        (
            Gate(metric="top1", scope="slice", slices=("weather=fog",), min=0.5),
            "Top-1 accuracy of weather=fog at least 50.0 %",
        ),
        (
            Gate(metric="top1", max_drop=0.01),
            "Top-1 accuracy overall at most 1.0 points below the baseline",
        ),
        (
            Gate(metric="top1", max_drop=0.02, relative=True),
            "Top-1 accuracy overall at most 2 % of its value below the baseline",
        ),
        (
            Gate(metric="top5", min_gain=0.005),
            "Top-5 accuracy overall at least 0.5 points above the baseline",
        ),
        (Gate(metric="top1", max_drop=0), "Top-1 accuracy overall not below the baseline"),
        (
            Gate(metric="nll", max_rise=0.05),
            "Negative log-likelihood overall at most 0.05 above the baseline",
        ),
        (
            Gate(metric="nll", min_gain=0.05),
            "Negative log-likelihood overall at least 0.05 below the baseline",
        ),
        (
            Gate(metric="brier", max_rise=0),
            "Brier score overall not above the baseline",
        ),
    ],
)
def test_a_gate_says_what_it_demands(gate: Gate, text: str) -> None:
    assert str(gate) == text
