import numpy as np
import pytest

from tasks.gates.gate import Gate
from tasks.gates.judging import judge
from tasks.metrics.metric import Metric
from tasks.metrics.scoring import Scoring
from tests.tasks.metrics.made_by_hand import scoring_of, tallies_of


def sliced() -> Scoring:
    slices = (
        Metric.proportion("top1", 30, 300, scope="slice", slice_name="weather=fog"),
        Metric.proportion("top1", 290, 300, scope="slice", slice_name="weather=sun"),
        Metric.undefined("top1", "too_small", 3, slice_name="weather=hail"),
        Metric.proportion("top1", 95, 100, scope="slice", slice_name="size=small"),
    )
    return scoring_of(tallies_of(np.diag([300, 300]))).model_copy(update={"slices": slices})


def of_slices(*names: str, **more: object) -> Gate:
    entry = {"metric": "top1", "scope": "slice", "min": 0.5, "slices": names or None, **more}
    return Gate.model_validate(entry)


def test_each_slice_is_judged_and_the_worst_is_named() -> None:
    verdict = judge(of_slices(), sliced())
    assert (verdict.state, verdict.judged, verdict.failing) == ("failed", 3, 1)
    assert verdict.sentence.startswith("Top-1 accuracy of weather=fog is 10.0 % (30 of 300; 98.33")
    assert "1 slice without a figure was left out." in verdict.sentence


@pytest.mark.parametrize(
    ("names", "state", "judged"),
    [
        (("weather=sun",), "passed", 1),
        (("size",), "passed", 1),
        (("weather",), "failed", 3),
        (("weather=hail",), "inconclusive", 1),
        (("weather=sun", "size=small"), "passed", 2),
    ],
)
def test_named_slices_and_fields(names: tuple[str, ...], state: str, judged: int) -> None:
    verdict = judge(of_slices(*names), sliced())
    assert (verdict.state, verdict.judged) == (state, judged)


def test_a_slice_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match=r"has no slice 'weather=snow'; there are: weather=fog,"):
        judge(of_slices("weather=snow"), sliced())
    with pytest.raises(ValueError, match="it has no slices"):
        judge(of_slices("weather"), scoring_of(tallies_of(np.diag([3, 3]))))


def test_without_any_slice_nothing_is_judged() -> None:
    verdict = judge(of_slices(), scoring_of(tallies_of(np.diag([3, 3]))))
    assert verdict.state == "not_applicable"
    assert verdict.sentence.startswith("Top-1 accuracy: no slice has one, so that at least 50.0 %")


def test_a_record_without_the_figure_says_so_and_asks_for_no_operating_point() -> None:
    scoring = scoring_of(tallies_of(np.diag([3, 3])))
    older = tuple(m for m in scoring.per_class if m.name != "average_precision")
    gate = Gate(metric="average_precision", classes=("c0",), min=0.5)
    with pytest.raises(ValueError, match="no average_precision of c0, since an earlier nightmark"):
        judge(gate, scoring.model_copy(update={"per_class": older}))
