"""An artifact root → what nobody needs any more, removed."""

from collections.abc import Sequence
from pathlib import Path

from prefect import flow, runtime
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed

from conf.loading import load
from flows.returned import kept
from flows.states import fault_state
from shards.errors import NightmarkError
from shards.store import Store
from tasks.prune import prune as prune_root
from tasks.retention.words import lines, sentences, size_text


def _run_name() -> str:
    parameters: dict[str, object] = runtime.flow_run.parameters
    what = "prune" if parameters["delete"] else "what a prune would remove"
    return f"{what}, by {Path(str(parameters['plan'])).stem}"


@flow(name="prune", flow_run_name=_run_name)
def prune(plan: Path, overrides: Sequence[str] = (), *, delete: bool = False) -> State[int]:
    """Remove from the plan's artifact root what its ``retention`` does not keep.

    Without ``delete`` it is only told. The state carries how many bytes are given back. It is
    Failed named Unusable where the plan is none, and Incomplete where a record is unreadable, so
    that nothing is removed, or where the store cannot be written.
    """
    try:
        work = load(plan, overrides)
        store = Store.at(work.runtime.root)
        choice = prune_root(store, work.retention, delete=delete)
    except NightmarkError as error:
        return fault_state(error)
    create_table_artifact(
        key="prune",
        table=[
            {
                "what": line.kind,
                "removed" if delete else "would go": line.going,
                "gives back": size_text(line.freed),
                "stays": line.kept,
                "takes": size_text(line.kept_bytes),
            }
            for line in lines(choice)
        ],
        description=f"{store.locate('')}: {work.retention}",
    )
    said = list(sentences(choice, removed=delete))
    if not delete and not choice.is_empty:
        said.append("Next: run it with `delete` if that is what should go.")
    return Completed(message=" ".join(said), data=kept(choice.freed))
