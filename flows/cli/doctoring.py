"""``nightmark doctor``."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from conf.loading import load
from conf.plan import Plan
from conf.runtime import RuntimePlan
from flows.cli.console import OUT, figures_table, print_table, say
from shards.errors import InputError
from shards.store import Store
from tasks.doctor.check import Check, CheckState, fault, fine
from tasks.doctor.inputs import check_inputs
from tasks.doctor.machine import check_machine
from tasks.doctor.server import check_server
from tasks.doctor.storage import check_storage, look_at
from tasks.metrics.words import counted

commands = typer.Typer()
STYLES: dict[CheckState, str] = {
    "fine": "green",
    "warning": "bold yellow",
    "fault": "bold red",
    "skipped": "dim",
}


@commands.command()
def doctor(
    plan: Annotated[
        Path | None,
        typer.Argument(help="A plan; without one its files are not looked at.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the checks as JSON.")] = False,
    root: Annotated[
        str | None, typer.Option(help="The artifact root.", envvar="NIGHTMARK_ROOT")
    ] = None,
) -> None:
    """Check that nights can run here, and say for everything that is wrong what to do.

    Python, packages, devices, artifact root, disk space, clocks, Prefect server, deployments,
    workers, and the files of the plan. Exit code 1 if anything is a fault, else 0.
    """
    checks = list(_checks(plan, root))
    if as_json:
        dumped = [check.model_dump() for check in checks]
        OUT.print(json.dumps(dumped, indent=1), markup=False, soft_wrap=True)
    else:
        _print(checks)
    raise typer.Exit(int(any(check.state == "fault" for check in checks)))


def _checks(file: Path | None, root: str | None) -> Iterator[Check]:
    from prefect import __version__
    from prefect.settings import PREFECT_API_URL

    from flows.doctor import inputs_of, machine_facts, server_facts, wanted_deployments

    plan: Plan | None = None
    if file is not None:
        try:
            plan = load(file)
            yield fine("plan", f"{file}: {plan.name}")
        except InputError as error:
            yield fault("plan", str(error), "correct it; docs/plan.md lists what it can say")
    runtime = RuntimePlan() if plan is None else plan.runtime
    yield from check_machine(machine_facts(runtime))
    yield from _storage(plan, root or runtime.root)
    server = server_facts(PREFECT_API_URL.value() or "")
    yield from check_server(server, __version__, wanted_deployments(), runtime.time_zone)
    if plan is not None:
        yield from check_inputs(tuple(inputs_of(plan)))


def _storage(plan: Plan | None, root: str) -> Iterator[Check]:
    from flows.doctor import needed_bytes

    try:
        store = Store.at(root)
    except InputError as error:
        yield fault("artifact root", str(error), "correct runtime.root, or install the package")
        return
    yield from check_storage(look_at(store, needed_bytes(plan, store) if plan else 0))


def _print(checks: Sequence[Check]) -> None:
    table = figures_table(names=("check", "state", "what was seen"), figures=())
    for check in checks:
        style = STYLES[check.state]
        state = f"[{style}]{check.state}[/]"
        table.add_row(escape(check.name), state, escape(check.said))
    print_table(table)
    OUT.print()
    wrong = [check for check in checks if check.remedy]
    say(*(f"{check.name}: {check.remedy}" for check in wrong))
    faults = sum(check.state == "fault" for check in checks)
    told = f"{counted(faults, 'fault')}, {counted(len(wrong) - faults, 'warning')}."
    say(told if wrong else "All is well.")
