"""The ``nightmark`` command: its groups, and what an error looks like."""

import signal
import sys
import traceback

import typer

from flows.cli import (
    backtesting,
    comparing,
    deciding,
    doctoring,
    environment,
    health,
    keeping,
    models,
    night,
    operating,
    querying,
    rescoring,
    schemas,
    serving,
    shards,
    ui,
    updating,
)
from flows.cli.console import ERR
from shards.errors import InputError, NightmarkError

USAGE_ERROR, INCOMPLETE, SOFTWARE_ERROR, HUNG_UP, TERMINATED = 2, 3, 70, 129, 143
EPILOG = (
    "Exit codes: 0 passed, 1 a gate failed, 2 bad usage or input, 3 incomplete, 4 inconclusive, "
    "70 a fault of nightmark itself, 143 ended by SIGTERM, 129 its terminal was closed (what is "
    "finished is kept)."
)

app = typer.Typer(
    name="nightmark",
    help="Re-measure image classifiers every night, and say whether they may ship.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for group in (
    night.commands,
    models.commands,
    comparing.commands,
    health.commands,
    deciding.commands,
    backtesting.commands,
    rescoring.commands,
    operating.commands,
    shards.commands,
    serving.commands,
    ui.commands,
    updating.commands,
    schemas.commands,
    querying.commands,
    keeping.commands,
    doctoring.commands,
):
    app.registered_commands.extend(group.registered_commands)


def main() -> None:
    """Run the command; an expected error is one message and an exit code, never a traceback."""
    environment.prepare()
    # As an exit, so that the embedded Prefect server is stopped too and not left behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    # A terminal that is closed ends what was begun there as well, but not what nohup began.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: sys.exit(HUNG_UP))
    try:
        app()
    except NightmarkError as error:
        ERR.print(f"nightmark: {error}", markup=False, soft_wrap=True)
        sys.exit(USAGE_ERROR if isinstance(error, InputError) else INCOMPLETE)
    except Exception:
        traceback.print_exc()
        sys.exit(SOFTWARE_ERROR)
