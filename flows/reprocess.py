"""Some of a plan's pairs again, after an update: a night over these alone."""

from collections.abc import Sequence
from datetime import date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

from prefect import flow, runtime
from prefect.client.schemas.objects import State
from prefect.states import Completed

from conf.loading import load_with_models
from conf.plan import Plan
from flows.night import run_night
from flows.states import UP_TO_DATE, fault_state
from shards.errors import InputError, NightmarkError
from shards.store import Store
from tasks.layout import PairName
from tasks.metrics.words import counted
from tasks.night import Night
from tasks.updates.forecast import last_times, not_since


def _run_name() -> str:
    parameters: dict[str, object] = runtime.flow_run.parameters
    chosen = [*_names(parameters["models"]), *_names(parameters["datasets"])]
    since = f" not since {parameters['since']}" if parameters["since"] else ""
    plan = Path(str(parameters["plan"])).stem
    return f"reprocess {', '.join(chosen) or 'all'} of {plan}{since}"


@flow(name="reprocess", flow_run_name=_run_name)
def reprocess(
    plan: Path,
    overrides: Sequence[str] = (),
    models: Sequence[str] = (),
    datasets: Sequence[str] = (),
    since: date | None = None,
    deadline: str | None = None,
) -> State[Night]:
    """Evaluate, judge and publish the chosen pairs of the plan, like a night over them alone.

    What is there is reused: of a changed dataset the changed shards are predicted, of a changed
    model all. ``models`` and ``datasets`` choose by name, all if empty; ``since`` leaves those out
    that a full night has evaluated since that day began (by ``runtime.time_zone``).

    The state carries the night, as that of ``nightly`` does; it is Completed named UpToDate, with
    the reason, where no pair is left to do.
    """
    try:
        work = load_with_models(plan, overrides)
        pairs = chosen_pairs(work, models, datasets, since, overrides)
    except NightmarkError as error:
        return fault_state(error)
    if not pairs:
        message = f"Nothing to do: every chosen pair was evaluated since {since}."
        return Completed(name=UP_TO_DATE, message=message)
    return run_night(work, pairs, kind="reprocess", deadline=deadline, overrides=overrides)


def chosen_pairs(
    plan: Plan,
    models: Sequence[str],
    datasets: Sequence[str],
    since: date | None,
    overrides: Sequence[str] = (),
) -> tuple[PairName, ...]:
    """The pairs that are meant, in the order in which a night would take them.

    ``overrides`` are what the plan was loaded with: only nights with the same count for ``since``.

    Raises:
        InputError: a name is not in the plan, or no pair of the plan has these names.
        ShardError: with ``since``, a night's record is unreadable.
    """
    try:
        for name in models:
            plan.model(name)
        for name in datasets:
            plan.dataset(name)
    except KeyError as error:
        raise InputError(str(error.args[0])) from error
    pairs = tuple(
        pair
        for pair in plan.in_turn()
        if (not models or pair.model in models) and (not datasets or pair.split.dataset in datasets)
    )
    if not pairs and not models and not datasets:
        raise InputError(f"plan {plan.name}: no model belongs to any of its datasets")
    if not pairs:
        named = counted(len(models), "model") + " and " + counted(len(datasets), "dataset")
        raise InputError(f"plan {plan.name}: the {named} named share no pair; see `datasets`")
    if since is None:
        return pairs
    midnight = datetime.combine(since, time(), ZoneInfo(plan.runtime.time_zone))
    return not_since(pairs, last_times(Store.at(plan.runtime.root), pairs, overrides), midnight)


def _names(value: object) -> list[str]:
    return [str(name) for name in value] if isinstance(value, list | tuple) else []
