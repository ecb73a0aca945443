import pytest
from pydantic import ValidationError

from tasks.doctor.check import Check, fault, fine, skipped, warning


def test_what_is_wrong_says_what_to_do() -> None:
    with pytest.raises(ValidationError, match="says what to do"):
        fault("a", "b", "")
    with pytest.raises(ValidationError, match="says what to do"):
        warning("a", "b", "")
    with pytest.raises(ValidationError, match="says what to do"):
        Check(name="a", state="fine", said="b", remedy="c")
    assert {fine("a", "b").state, skipped("a", "b").state} == {"fine", "skipped"}
