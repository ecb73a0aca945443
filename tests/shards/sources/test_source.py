import pytest
from pydantic import ValidationError

from shards.sources.source import SourceSpec, digest


@pytest.mark.parametrize("change", [{"source": "svhn"}, {"typo": 1}, {"classes": "svhn"}])
def test_a_spec_refuses_what_it_does_not_know(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SourceSpec.model_validate({"source": "folder", "location": "x"} | change)


def test_a_digest_tells_facts_apart() -> None:
    facts = [("a", "b"), ("ab",), (["a", "b"],), ({"a": "b"},), ("a", "b", None), ("a", ["b"])]
    assert len({digest(*fact) for fact in facts}) == len(facts)
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
