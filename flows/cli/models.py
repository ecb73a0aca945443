"""``nightmark models`` and ``check-preprocessing``."""

import time
from pathlib import Path
from typing import Annotated

import typer

from conf.loading import load
from conf.plan import Plan
from flows.cli.console import OUT, figures_table, print_table, say, working
from flows.cli.outcomes import EXIT_CODES
from shards.errors import InputError
from shards.store import Store
from tasks.model_history import since_last_evaluation
from tasks.parity.parity import Parity
from tasks.parity.words import conclusion, difference_text
from tasks.progress import Advance, Outline, listening

commands = typer.Typer()
TABLE_WIDTH = 120
UNUSABLE = 2
PlanArgument = Annotated[Path, typer.Argument(help="The plan, a YAML file.", show_default=False)]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the plan."),
]


@commands.command()
def models(plan: PlanArgument, overrides: SetOption = None) -> None:
    """List every model: version, parameters, preprocessing, files, changed since last evaluated.

    Each is loaded, so that one that cannot be used is told here; exit code 2 then.
    """
    loaded = load(plan, overrides or [])
    from tasks.models.description import describe

    store = Store.at(loaded.runtime.root)
    broken = 0
    for spec in loaded.models:
        found = describe(store, spec)
        if isinstance(found, str):
            broken += 1
            say(f"{spec.name}: cannot be used: {found}")
            continue
        say(f"{spec.name}  {found.fingerprint}")
        outputs = "an unknown number of" if found.outputs is None else f"{found.outputs:,}"
        learned = "" if found.parameters is None else f"{found.parameters:,} parameters, "
        say(
            f"  {spec.loader}: {learned}{outputs} outputs ({found.output}), {found.labels}",
            f"  preprocessing: {found.preprocessing}",
            *([f"  from {found.origin}"] if found.origin else []),
            f"  {', '.join(map(str, found.files))} ({found.size / 1e6:,.1f} MB)",
        )
        for pair in loaded.pairs():
            if pair.model == spec.name:
                state, where = since_last_evaluation(store, pair, found.fingerprint)
                say(f"  {pair.split}: {state}{f' since {where}' if where else ''}")
    if broken:
        raise typer.Exit(UNUSABLE)


@commands.command("check-preprocessing")
def check_preprocessing(
    plan: PlanArgument,
    dataset: Annotated[str, typer.Option(help="A dataset of the plan.", show_default=False)],
    model: Annotated[str, typer.Option(help="A model of the plan.", show_default=False)],
    images: Annotated[int, typer.Option(min=1, help="So many labelled images.")] = 300,
    overrides: SetOption = None,
) -> None:
    """Try variants of a model's preprocessing, and say which is proven to score better.

    Exit code 1 if one is, else 0.
    """
    loaded = load(plan, overrides or [])
    _known(loaded, dataset, model)
    from flows.check_preprocessing import check_preprocessing as flow
    from flows.returned import taken
    from flows.runners import threads
    from tasks.slots.devices import find_devices

    on_slots = flow.with_options(task_runner=threads(len(find_devices(loaded.runtime.devices))))
    with working(), listening(_Trials()):
        found = taken(on_slots(loaded, dataset, model, images, return_state=True), Parity)
    _print_rivals(found)
    say(*conclusion(found))
    raise typer.Exit(EXIT_CODES["failed"] if found.better else EXIT_CODES["passed"])


def _known(plan: Plan, dataset: str, model: str) -> None:
    try:
        plan.dataset(dataset)
        plan.model(model)
    except KeyError as error:
        raise InputError(str(error.args[0])) from error


class _Trials:
    """A line when the first variant tells how long the others will take, and at every tenth."""

    def __init__(self) -> None:
        self._work, self._total, self._done, self._started = "", 0, 0, 0.0

    def begin(self, outline: Outline) -> None:
        self._work, self._total, self._done = outline.work, outline.shards, 0
        self._started = time.monotonic()

    def advance(self, advance: Advance) -> None:
        if advance.work != self._work or not advance.work.startswith("check "):
            return
        before, self._done = self._done, self._done + advance.shards
        if before == 0 or 10 * self._done // self._total > 10 * before // self._total:
            seconds = time.monotonic() - self._started
            left = max(self._total - self._done, 0) * seconds / self._done
            say(
                f"{self._work}: {self._done} of {self._total} ways tried on {advance.images} "
                f"images, about {left:.0f} s left"
            )


def _print_rivals(parity: Parity) -> None:
    table = figures_table(
        names=("variant",),
        figures=("right", "difference (95 % together)", "fixed", "broken", "p corrected"),
    )
    table.add_column("proven")
    table.add_row("as configured", f"{parity.base.right:,} of {parity.n:,}", "", "", "", "", "")
    for rival in parity.rivals:
        proven = "better" if rival.is_better else "worse" if rival.is_worse else ""
        table.add_row(
            str(rival.trial.variant),
            f"{rival.trial.right:,}",
            difference_text(rival),
            f"{rival.table.fixed:,}",
            f"{rival.table.broken:,}",
            f"{rival.p:.2g}",
            proven,
        )
    OUT.print()
    print_table(table, TABLE_WIDTH)
    for trial in parity.faults:
        say(f"{trial.variant}: cannot be tried: {trial.fault}")
    OUT.print()
