"""``nightmark reprocess`` and ``watch-models``: what an update asks for."""

import time
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from conf.loading import load_with_models
from flows.cli.console import say, working
from flows.cli.night import DeadlineOption, PlanArgument, SetOption, report_night
from flows.cli.outcomes import EXIT_CODES
from shards.errors import InputError, ShardError, StoreError
from shards.store import Store
from tasks.night import Night

commands = typer.Typer()


@commands.command()
def reprocess(
    plan: PlanArgument,
    model: Annotated[
        list[str] | None, typer.Option(help="A model of the plan; default: all. May be repeated.")
    ] = None,
    dataset: Annotated[
        list[str] | None, typer.Option(help="A dataset of the plan; default: all. May be repeated.")
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            help="Only pairs that no full night has evaluated since this day began.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be computed and reused, and why.")
    ] = False,
    deadline: DeadlineOption = None,
    overrides: SetOption = None,
) -> None:
    """Evaluate some pairs of the plan again, after a model or a dataset changed.

    Only what is missing is computed; the result is compared with the baseline (or with the version
    before), judged, published like a night, and promoted if the plan says so.
    """
    loaded = load_with_models(plan, overrides or [])
    from flows.reprocess import chosen_pairs
    from flows.reprocess import reprocess as flow
    from flows.returned import taken

    day = None if since is None else since.date()
    pairs = chosen_pairs(loaded, model or (), dataset or (), day, overrides or ())
    if not pairs:
        say(f"Nothing to do: every chosen pair was evaluated since {day}.")
        return
    if dry_run:
        from flows.foresee import foresee

        forecasts = foresee(loaded, pairs, overrides or ())
        for forecast in forecasts:
            first, *rest = forecast.lines
            say(first, *(f"  {line}" for line in rest))
        if any(forecast.fault for forecast in forecasts):
            raise typer.Exit(EXIT_CODES["unusable"])
        return
    words = (plan, overrides or [], model or (), dataset or (), day, deadline)
    with working():
        night = taken(flow(*words, return_state=True), Night)
    report_night(Store.at(loaded.runtime.root), night)
    raise typer.Exit(EXIT_CODES[night.state])


@commands.command("watch-models")
def watch_models(
    plan: PlanArgument,
    every: Annotated[
        float | None,
        typer.Option(min=1, metavar="SECONDS", help="Look again and again, until Ctrl-C."),
    ] = None,
    overrides: SetOption = None,
) -> None:
    """Say which models changed since they were evaluated, and tell the Prefect server.

    With the deployments of docs/operations.md on that server, each update starts a reprocessing.
    """
    load_with_models(plan, overrides or [])
    from flows.returned import taken
    from flows.watch import watch_models as flow

    while True:
        try:
            with working():
                state = flow(Path(plan), overrides or [], return_state=True)
                taken(state, tuple)
            say(str(state.message))
        except (InputError, ShardError, StoreError) as error:
            # A file that is being replaced, a server that is away: the next look may find it.
            if every is None:
                raise
            say(str(error))
        if every is None:
            return
        time.sleep(every)
