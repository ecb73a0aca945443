"""``nightmark serve`` and ``nightmark automations``: nights that run by themselves."""

import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from conf.loading import load_with_models
from flows.cli import environment
from flows.cli.console import OUT
from flows.cli.household import Household
from flows.cli.ui import refuse_taken, wait_until_ready
from shards.errors import InputError, NightmarkError

commands = typer.Typer()
POOL = "nightmark"
DATABASE = "PREFECT_SERVER_DATABASE_CONNECTION_URL"
DRIVERS = ("postgresql+asyncpg", "sqlite+aiosqlite")
NotifyOption = Annotated[
    str | None,
    typer.Option(
        help="Where failed gates, crashes and missed nights are told: a web address that gets "
        '{"text": …} posted, another address such as mailtos://…, or TYPE/NAME of a Prefect '
        "notification block.",
        show_default=False,
        envvar="NIGHTMARK_NOTIFY",
    ),
]
FileOption = Annotated[
    Path | None,
    typer.Option(
        "--automations", help="Other automations than the shipped ones.", show_default=False
    ),
]


@commands.command()
def serve(
    plan: Annotated[Path, typer.Argument(help="The plan, a YAML file.", show_default=False)],
    cron: Annotated[str, typer.Option(help="When nights begin.")] = "0 2 * * *",
    timezone: Annotated[str, typer.Option(help="The time zone of --cron.")] = "UTC",
    port: Annotated[int, typer.Option(help="Port of the Prefect server on this machine.")] = 4200,
    home: Annotated[
        Path | None,
        typer.Option(help="The PREFECT_HOME; default: that of the environment, or ~/.prefect."),
    ] = None,
    notify: NotifyOption = None,
    automations: FileOption = None,
) -> None:
    """Run nights by themselves on this machine: server, UI, schedule, automations and a worker.

    Ctrl-C ends all of it. docs/operations.md has the same as services of the system.
    """
    load_with_models(plan)
    _check_database()
    refuse_taken(port)
    base = f"http://127.0.0.1:{port}"
    _use(base, plan, cron, timezone, home)
    _check_schedule(cron, timezone)
    logs = Path(os.environ.get("PREFECT_HOME", "~/.prefect")).expanduser() / "nightmark"
    household = Household(logs, lambda said: OUT.print(said, markup=False, soft_wrap=True))
    prefect = (sys.executable, "-m", "prefect")
    try:
        server = household.begin("Prefect server", (*prefect, "server", "start"))
        wait_until_ready(server.process, base, server.log)
        _make_pool()
        _deploy()
        for name in _put(automations, notify):
            OUT.print(f"automation: {name}", markup=False, soft_wrap=True)
        household.begin(
            "worker", (*prefect, "worker", "start", "--pool", POOL, "--type", "process")
        )
        OUT.print(f"nights of {plan.stem}: {cron} ({timezone})", markup=False, soft_wrap=True)
        OUT.print(f"Prefect UI: {base}  (Ctrl-C ends everything)", soft_wrap=True)
        household.watch()
    except KeyboardInterrupt:
        OUT.print("stopping")
    finally:
        household.end()


@commands.command("automations")
def automations_command(notify: NotifyOption = None, automations: FileOption = None) -> None:
    """Put nightmark's automations on the Prefect server of PREFECT_API_URL; harmless twice.

    They mark runs Crashed whose process died, and tell of failed gates, crashes and missed nights.
    """
    from flows.cli.server import reach_or_start

    if not os.environ.get("PREFECT_API_URL"):
        raise InputError("set PREFECT_API_URL to the server that should act")
    reach_or_start()
    for name in _put(automations, notify):
        OUT.print(name, markup=False, soft_wrap=True)


def _use(base: str, plan: Path, cron: str, timezone: str, home: Path | None) -> None:
    """Make this process and its children use our server; before Prefect is imported."""
    port = base.rpartition(":")[2]
    if home is not None:
        home.mkdir(parents=True, exist_ok=True)
        os.environ["PREFECT_HOME"] = str(home.resolve())
    os.environ.update(
        {
            "PREFECT_API_URL": f"{base}/api",
            "PREFECT_UI_URL": base,
            "PREFECT_SERVER_API_HOST": "127.0.0.1",
            "PREFECT_SERVER_API_PORT": port,
            "PREFECT_SERVER_UI_API_URL": f"{base}/api",
            "NIGHTMARK_PLAN": str(plan.resolve()),
            "NIGHTMARK_CRON": cron,
            "NIGHTMARK_TIMEZONE": timezone,
        }
    )
    environment.prepare()


def _check_database() -> None:
    """Before Prefect is imported, which ends with a traceback at a driver it cannot use.

    Raises:
        InputError: the address of the server's database is none of Prefect's.
    """
    driver, separator, _ = os.environ.get(DATABASE, "").partition("://")
    if separator and driver not in DRIVERS:
        # Not the rest of the address, which holds a password.
        raise InputError(
            f"{DATABASE} begins with {driver}://, which Prefect cannot use; write "
            f"postgresql+asyncpg://USER:PASSWORD@HOST:PORT/DATABASE, or unset it for SQLite"
        )


def _check_schedule(cron: str, timezone: str) -> None:
    """Before anything is begun. Raises InputError."""
    from prefect.client.schemas.schedules import CronSchedule
    from pydantic import ValidationError

    try:
        CronSchedule(cron=cron, timezone=timezone)
    except ValidationError as error:
        said = "; ".join(fault["msg"].removeprefix("Value error, ") for fault in error.errors())
        raise InputError(
            f"{said}. Write --cron as '0 2 * * *' and --timezone as Europe/Berlin"
        ) from error


def _make_pool() -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists

    with get_client(sync_client=True) as client:
        try:
            client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
        except ObjectAlreadyExists:
            return


def _deploy() -> None:
    """``prefect deploy --all``, whose own output is told only where it fails."""
    definitions = files("conf") / "prefect.yaml"
    words = (sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all")
    done = subprocess.run(  # noqa: S603 - our own program
        (*words, "--prefect-file", str(definitions)), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NightmarkError(f"the deployments could not be made:\n{done.stdout}{done.stderr}")


def _put(file: Path | None, notify: str | None) -> tuple[str, ...]:
    from flows.automations import put_automations

    return put_automations(file, notify)
