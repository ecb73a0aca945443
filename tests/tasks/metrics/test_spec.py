import pytest
from pydantic import ValidationError

from tasks.metrics.spec import ScoringSpec


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
