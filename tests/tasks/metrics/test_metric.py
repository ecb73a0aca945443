import pytest
from pydantic import ValidationError
from scipy import stats

from tasks.metrics.metric import STATE_SENTENCES, Metric, State


def wilson_of_scipy(hits: int, n: int, confidence: float) -> tuple[float, float]:
    interval = stats.binomtest(hits, n).proportion_ci(confidence, method="wilson")
    return interval.low, interval.high


def test_a_proportion_has_wilsons_interval() -> None:
    metric = Metric.proportion("recall", 6, 50, scope="class", class_index=3)
    assert metric.value == 0.12
    assert (metric.low, metric.high) == pytest.approx((0.0562, 0.2380), abs=5e-5)
    assert (metric.n, metric.hits, metric.method, metric.state) == (50, 6, "wilson", "defined")
    assert (metric.scope, metric.class_index) == ("class", 3)


def test_a_slice_is_named_by_field_and_value() -> None:
    metric = Metric.proportion("top1", 6, 50, scope="slice", slice_name="light=dusk")
    assert (metric.scope, metric.slice, metric.class_index) == ("slice", "light=dusk", None)
    assert Metric.model_validate_json(metric.model_dump_json()) == metric


def test_f1_counts_hits_twice() -> None:
    # 6 hits, 44 missed, 10 wrongly claimed: precision 6/16, recall 6/50.
    precision, recall = 6 / 16, 6 / 50
    metric = Metric.f1(6, 6 + 44 + 10, class_index=3)
    assert metric.value == pytest.approx(2 * precision * recall / (precision + recall), abs=1e-15)
    low, high = wilson_of_scipy(6, 60, 0.95)
    assert (metric.low, metric.high) == pytest.approx((2 * low / (1 + low), 2 * high / (1 + high)))
    assert (metric.n, metric.hits, metric.method) == (60, 6, "jaccard_wilson")


def test_counted_figures_have_an_interval_at_any_confidence() -> None:
    low, high = wilson_of_scipy(6, 50, 0.999)
    assert Metric.proportion("top1", 6, 50).interval(0.999) == pytest.approx((low, high))
    assert Metric.f1(6, 50, 0).interval(0.999) == pytest.approx(
        (2 * low / (1 + low), 2 * high / (1 + high))
    )


def test_other_figures_have_the_interval_at_hand_or_none() -> None:
    known = Metric(name="nll", value=1.0, low=0.9, high=1.1, n=50, method="student")
    assert known.interval(0.95) == (0.9, 1.1)
    assert Metric(name="nll", value=1.0, n=1).interval(0.95) is None


@pytest.mark.parametrize("state", [s for s in STATE_SENTENCES if s != "defined"])
def test_what_is_undefined_has_neither_value_nor_interval(state: State) -> None:
    overall = Metric.undefined("top1", state)
    assert (overall.value, overall.low, overall.high, overall.n) == (None, None, None, 0)
    assert (overall.scope, overall.state, overall.interval(0.95)) == ("overall", state, None)
    of_class = Metric.undefined("recall", state, 0, 7)
    assert (of_class.scope, of_class.class_index) == ("class", 7)
    of_slice = Metric.undefined("top1", state, 3, slice_name="light=dusk")
    assert (of_slice.scope, of_slice.slice, of_slice.n) == ("slice", "light=dusk", 3)


def test_every_state_has_a_sentence() -> None:
    assert set(STATE_SENTENCES) == set(State.__args__)


@pytest.mark.parametrize(
    "fault",
    [
        {"n": -1},
        {"state": "unknown"},
        {"scope": "shard"},
        {"colour": "red"},
        {"scope": "class"},
        {"scope": "slice"},
        {"class_index": 1},
        {"slice": "light=dusk"},
        {"scope": "slice", "slice": "light=dusk", "class_index": 1},
    ],
)
def test_what_is_no_metric_is_refused(fault: dict) -> None:
    with pytest.raises(ValidationError):
        Metric.model_validate({"name": "top1", "n": 1, **fault})


def test_a_metric_is_frozen_and_survives_json() -> None:
    metric = Metric.proportion("top1", 18, 20)
    with pytest.raises(ValidationError, match="frozen"):
        metric.value = 1.0
    assert Metric.model_validate_json(metric.model_dump_json()) == metric


def test_no_proportion_of_nothing() -> None:
    with pytest.raises(ValueError, match="no proportion"):
        Metric.proportion("top1", 0, 0)
