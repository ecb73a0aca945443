"""A result survives a server that answers with its own copy of the final state, without data."""

import pytest
from prefect import flow
from prefect.client.schemas.objects import State
from prefect.exceptions import MissingResult
from prefect.states import Completed, Failed

from flows.returned import kept, taken


@flow
def measured(*, passes: bool) -> State[int]:
    make = Completed if passes else Failed
    return make(name="Judged", message="judged", data=kept(7))


@flow
def plain() -> int:
    return 7


@flow
def raising() -> int:
    raise LookupError("lost")


@pytest.mark.parametrize("passes", [True, False])
def test_what_a_flow_kept_is_there_though_its_state_has_no_data(passes: bool) -> None:
    state = measured(passes=passes, return_state=True)
    assert taken(state.model_copy(update={"data": None}), int) == 7


def test_without_it_the_state_is_asked() -> None:
    state = plain(return_state=True)
    assert taken(state, int) == 7
    with pytest.raises(MissingResult):
        taken(state.model_copy(update={"data": None}), int)


def test_it_is_handed_over_once() -> None:
    state = measured(passes=True, return_state=True).model_copy(update={"data": None})
    taken(state, int)
    with pytest.raises(MissingResult):
        taken(state, int)


def test_what_it_raised_is_raised() -> None:
    with pytest.raises(LookupError, match="lost"):
        taken(raising(return_state=True), int)


def test_another_kind_is_not_taken_for_it() -> None:
    with pytest.raises(RuntimeError, match="the flow ended Completed"):
        taken(plain(return_state=True), str)
