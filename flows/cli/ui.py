"""``nightmark ui``: the Prefect UI on the history that a command left behind, and the reports."""

import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import httpx
import typer

from flows.cli import environment
from flows.cli.console import OUT
from flows.cli.report_server import serving_reports
from shards.errors import InputError
from tasks.layout import NIGHTS

commands = typer.Typer()
START_SECONDS = 120.0


@commands.command()
def ui(
    home: Annotated[Path, typer.Option(help="The PREFECT_HOME whose runs are shown.")] = Path(
        "artifacts/demo/prefect"
    ),
    port: Annotated[int, typer.Option(help="Port on this machine.")] = 4200,
    root: Annotated[
        Path | None,
        typer.Option(
            help="The artifact root whose reports are served; default: the one that HOME lies in.",
            envvar="NIGHTMARK_ROOT",
        ),
    ] = None,
    reports_port: Annotated[int, typer.Option(help="Port of the reports on this machine.")] = 4201,
) -> None:
    """Serve the Prefect UI for the runs in a PREFECT_HOME, and the reports, until Ctrl-C."""
    if not home.is_dir():
        raise InputError(
            f"{home}: no such folder; run `nightmark demo` first or name a PREFECT_HOME"
        )
    nights = (home.parent if root is None else root) / NIGHTS
    if root is not None and not nights.is_dir():
        raise InputError(f"{nights}: no such folder; run `nightmark night`, or name another root")
    refuse_taken(port)
    environment.isolate(home)
    with ExitStack() as stack:
        if nights.is_dir():
            reports = stack.enter_context(serving_reports(nights, reports_port))
            OUT.print(f"Reports: {reports}", soft_wrap=True)
        _serve(f"http://127.0.0.1:{port}", port)


def _serve(base: str, port: int) -> None:
    server = subprocess.Popen(
        [sys.executable, "-m", "prefect", "server", "start"],
        stdout=subprocess.DEVNULL,
        # Without its own address the page in the browser would ask the default port.
        env={
            **os.environ,
            "PREFECT_SERVER_API_HOST": "127.0.0.1",
            "PREFECT_SERVER_API_PORT": str(port),
            "PREFECT_SERVER_UI_API_URL": f"{base}/api",
        },
    )
    try:
        wait_until_ready(server, base)
        OUT.print(f"Prefect UI: {_latest_run(base)}  (Ctrl-C ends it)", soft_wrap=True)
        server.wait()
    except KeyboardInterrupt:
        OUT.print("stopped")
    finally:
        server.terminate()
        server.wait()


def refuse_taken(port: int) -> None:
    """Before a server is begun: another one on its port would answer in its place.

    Raises:
        InputError: something listens there.
    """
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError as error:
            raise InputError(
                f"port {port} of this machine cannot be used ({error.strerror}): end what listens "
                f"there, or choose another one with --port"
            ) from error


def wait_until_ready(server: "subprocess.Popen[bytes]", base: str, log: Path | None = None) -> None:
    """Until the server answers; ``log`` has what it prints.

    Raises:
        InputError: it ended, or does not answer in time.
    """
    why = "is the port taken?" if log is None else f"{log} says why"
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise InputError(f"the Prefect server did not start on {base}; {why}")
        try:
            if httpx.get(f"{base}/api/health", timeout=2).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.3)
    raise InputError(f"the Prefect server did not answer on {base} in {START_SECONDS:.0f} s; {why}")


def _latest_run(base: str) -> str:
    """The page of the newest night, or the dashboard where there is none."""
    wanted = {
        "limit": 1,
        "sort": "START_TIME_DESC",
        "flows": {"name": {"any_": ["nightly"]}},
    }
    runs = httpx.post(f"{base}/api/flow_runs/filter", json=wanted, timeout=10).json()
    return f"{base}/v2/runs/flow-run/{runs[0]['id']}" if runs else f"{base}/v2/dashboard"
