"""How a run ends in the Prefect UI: a name, a colour, a message with the next step, and tags."""

from uuid import UUID

from prefect import get_run_logger, runtime
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows.returned import kept
from shards.errors import InputError, NightmarkError
from tasks.night import OutcomeState
from tasks.night_words import ended

STATE_NAMES: dict[OutcomeState, str] = {
    "passed": "Passed",
    "failed": "GateFailed",
    "inconclusive": "Inconclusive",
    "incomplete": "Incomplete",
    "unusable": "Unusable",
}
"""A fault of nightmark itself keeps Prefect's own name, Failed, and a killed process Crashed."""
GREEN: tuple[OutcomeState, ...] = ("passed", "inconclusive")
UP_TO_DATE = "UpToDate"
"""The name where there was nothing to do. conf/automations.yaml must know every name here."""
NEXT_STEPS: dict[OutcomeState, str] = {
    "passed": "nothing to do",
    "failed": "open the report of this night and look at the classes it names",
    "inconclusive": "evaluate on more images, or choose another policy for the gate",
    "incomplete": "mend what the message names and run again; only what is missing is computed",
    "unusable": "correct the plan or the input that the message names and run again",
}
MORE_TIME = "run again, which computes only what is missing, or give it more time"
"""The next step where nothing is wrong but the time that was given."""
REPORT_IT = (
    "run again, which computes only what is missing; if it comes back, report it with the "
    "traceback in this run's log"
)


def final_state(
    state: OutcomeState, message: str, data: object, next_step: str | None = None
) -> State:
    """The named Prefect state of an outcome, with the next step in its message.

    The run gets the tag ``verdict:STATE``.
    """
    tag_run(f"verdict:{state}")
    said = f"{message} Next: {next_step or NEXT_STEPS[state]}."
    kept(data)
    if state in GREEN:
        return Completed(name=STATE_NAMES[state], message=said, data=data)
    # Without the data: an engine that runs a deployment would want to raise it.
    return Failed(name=STATE_NAMES[state], message=said)


def fault_state(error: Exception) -> State:
    """The state of a run that ends with an error; whoever takes its result gets the error raised.

    What nightmark expects is Unusable or Incomplete. Anything else stays Failed, with its
    traceback in the log.
    """
    if isinstance(error, NightmarkError):
        state: OutcomeState = "unusable" if isinstance(error, InputError) else "incomplete"
        return final_state(state, ended(str(error)), error)
    get_run_logger().error("a fault of nightmark itself", exc_info=error)
    tag_run("verdict:none")
    said = f"A fault of nightmark itself: {type(error).__name__}: {error}. Next: {REPORT_IT}."
    return Failed(message=said, data=kept(error))


def tag_run(*further: str) -> None:
    """Add tags to the running flow; a server that is away does not end the work."""
    run = UUID(runtime.flow_run.id)
    try:
        with get_client(sync_client=True) as client:
            tags = dict.fromkeys([*client.read_flow_run(run).tags, *further])
            client.update_flow_run(run, tags=list(tags))
    except Exception as error:  # whatever a client raises
        get_run_logger().warning("the run is not tagged %s: %s", ", ".join(further), error)
