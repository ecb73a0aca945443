"""An artifact root → what nobody needs any more, removed."""

from collections.abc import Sequence
from pathlib import Path

from prefect import flow, runtime
from prefect.artifacts import create_table_artifact

from conf.loading import load
from shards.store import Store
from tasks.prune import prune as prune_root
from tasks.retention.words import lines, size_text


def _run_name() -> str:
    parameters: dict[str, object] = runtime.flow_run.parameters
    what = "prune" if parameters["delete"] else "what a prune would remove"
    return f"{what}, by {Path(str(parameters['plan'])).stem}"


@flow(name="prune", flow_run_name=_run_name)
def prune(plan: Path, overrides: Sequence[str] = (), *, delete: bool = False) -> int:
    """Remove from the plan's artifact root what its ``retention`` does not keep.

    Without ``delete`` it is only told. Returns how many bytes are given back.

    Raises:
        InputError: the plan is not one.
        ShardError: a record is unreadable; nothing is removed then.
    """
    work = load(plan, overrides)
    store = Store.at(work.runtime.root)
    choice = prune_root(store, work.retention, delete=delete)
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
    return choice.freed
