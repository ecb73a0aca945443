import sys

import pytest

from shards.errors import ModelError
from tasks.models.foreign import first_line, from_extra, require_extra


def test_what_is_required_is_not_imported() -> None:
    sys.modules.pop("this", None)
    require_extra("this", "zen", "m")
    assert "this" not in sys.modules


def test_what_is_missing_is_named_with_its_extra() -> None:
    for ask in (require_extra, from_extra):
        with pytest.raises(ModelError) as refused:
            ask("no_such_package", "zen", "m")
        assert str(refused.value).startswith("model m: the package no_such_package is needed and ")
        assert str(refused.value).endswith("pip install 'nightmark[zen]'")
    assert from_extra("sys", "zen", "m") is sys


def test_the_first_line_of_an_error() -> None:
    assert first_line(ValueError("\n one\ntwo")) == "ValueError: one"
    assert first_line(KeyError()) == "KeyError"
