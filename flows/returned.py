"""What a flow returned, whatever Prefect's server remembers of it.

A client that repeats a state transition after a time-out is answered with the server's copy of the
state, which holds no result (Prefect's ``MissingResult``); the work was done all the same. So flows
of one process hand their results over here, and fall back on the state.
"""

from typing import TypeVar

from prefect import runtime
from prefect.client.schemas.objects import State

T = TypeVar("T")

_KEPT: dict[str, object] = {}
"""By flow run, from the flow's last line until its caller takes it."""


def kept(value: T) -> T:
    """``value``, which the running flow is about to return."""
    _KEPT[str(runtime.flow_run.id)] = value
    return value


def taken(state: State, kind: type[T]) -> T:
    """What the flow with this final state returned; what it raised instead is raised.

    Raises:
        RuntimeError: neither is known.
    """
    value = _KEPT.pop(str(state.state_details.flow_run_id), None)
    if isinstance(value, kind):
        return value
    if isinstance(value, BaseException):
        raise value
    found: object = state.result(raise_on_failure=False)
    if isinstance(found, kind):
        return found
    if isinstance(found, BaseException):
        raise found
    raise RuntimeError(f"the flow ended {state.name}: {state.message}")
