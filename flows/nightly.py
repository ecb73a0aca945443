"""A night: every pair of the plan evaluated and judged, then one report over all of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from prefect import flow, runtime
from prefect.client.schemas.objects import State
from pydantic import Field

from conf.loading import load_with_models
from flows.night import run_night
from flows.states import fault_state
from shards.errors import InputError
from tasks.night import Night


def _run_name() -> str:
    parameters: dict[str, object] = runtime.flow_run.parameters
    quick = parameters["quick"]
    what = "night" if quick is None else f"quick look ({quick} shards)"
    return f"{what} of {Path(str(parameters['plan'])).stem}"


@flow(name="nightly", flow_run_name=_run_name)
def nightly(
    plan: Path,
    overrides: Sequence[str] = (),
    quick: Annotated[int, Field(ge=1)] | None = None,
    deadline: str | None = None,
) -> State[Night]:
    """Run the plan in the file ``plan``; ``overrides`` are ``dotted.key=value``.

    The state carries the night; ``run_night`` says which states there are, and what ``quick`` and
    ``deadline`` do. A plan that is none, or has no models, ends it Unusable, and nothing is done.
    """
    try:
        work = load_with_models(plan, overrides)
    except InputError as error:
        return fault_state(error)
    return run_night(work, work.in_turn(), quick=quick, deadline=deadline, overrides=overrides)
