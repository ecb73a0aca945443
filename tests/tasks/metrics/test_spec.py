import pytest
from pydantic import ValidationError

from tasks.metrics.spec import ScoringSpec, SliceSpec


def test_1_and_5_are_always_given() -> None:
    assert ScoringSpec(top_k=(10, 3, 3)).top_ks == (1, 3, 5, 10)
    assert ScoringSpec(top_k=()).top_ks == (1, 5)


@pytest.mark.parametrize("k", [0, -1, 1.5])
def test_what_is_no_k_is_refused(k: float) -> None:
    with pytest.raises(ValidationError):
        ScoringSpec(top_k=(k,))


def test_only_further_wishes_make_another_identity() -> None:
    assert {ScoringSpec(top_k=ks).identity for ks in ((1, 5), (5, 1), (5,), ())} == {""}
    assert ScoringSpec(top_k=(3,)).identity == ScoringSpec(top_k=(1, 3, 5)).identity != ""


@pytest.mark.parametrize(
    ("wishes", "fault"),
    [
        ({"slices": [{"field": "x", "edges": [1], "quantiles": 2}]}, "not both"),
        ({"slices": [{"field": "x", "edges": [2, 1]}]}, "must rise"),
        ({"slices": [{"field": "x", "edges": []}]}, "edges"),
        ({"slices": [{"field": "x", "quantiles": 1}]}, "quantiles"),
        ({"slices": [{"field": "x", "min_size": 0}]}, "min_size"),
        ({"slices": [{"field": "x"}, {"field": "x"}]}, "stands twice"),
        ({"slices": [{"field": "class_group"}]}, "there are no `class_groups`"),
        ({"class_groups": {"birds": []}}, "needs a name and classes"),
    ],
)
def test_wishes_that_cannot_be_met_are_refused(wishes: dict, fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        ScoringSpec.model_validate(wishes)


def test_slices_make_another_identity() -> None:
    one = ScoringSpec.model_validate({"slices": [{"field": "x"}]})
    two = ScoringSpec.model_validate({"class_groups": {"birds": ["n01"]}})
    assert len({one.identity, two.identity, ScoringSpec().identity}) == 3
    assert ScoringSpec.model_validate_json(two.model_dump_json()) == two


@pytest.mark.parametrize("edge", [float("nan"), float("inf")])
def test_a_border_that_is_no_number_is_refused(edge: float) -> None:
    with pytest.raises(ValidationError, match="finite number"):
        SliceSpec(field="size", edges=(edge,))
