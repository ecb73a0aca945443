"""A night: every pair of the plan evaluated and judged, then one report over all of them."""

from collections.abc import Sequence
from pathlib import Path

from prefect import flow, runtime
from prefect.client.schemas.objects import State

from conf.loading import load_with_models
from flows.night import run_night
from tasks.night import Night


def _run_name() -> str:
    parameters: dict[str, object] = runtime.flow_run.parameters
    return f"night of {Path(str(parameters['plan'])).stem}"


@flow(name="nightly", flow_run_name=_run_name)
def nightly(plan: Path, overrides: Sequence[str] = ()) -> State[Night]:
    """Run the plan in the file ``plan``; ``overrides`` are ``dotted.key=value``.

    The state carries the night; ``run_night`` says which states there are.

    Raises:
        InputError: the plan is not one, or has no models; then nothing is done.
    """
    work = load_with_models(plan, overrides)
    return run_night(work, work.in_turn())
