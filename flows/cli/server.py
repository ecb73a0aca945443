"""The Prefect server that a command talks to: the configured one, or an embedded one."""

import signal

import httpx
from prefect.server.api.server import SubprocessASGIServer
from prefect.settings import PREFECT_API_URL

from shards.errors import InputError

PATIENCE_SECONDS = 10.0


def reach_or_start() -> None:
    """Make sure that a server answers before any work begins.

    The embedded one is started here, deaf to Ctrl-C: it belongs to the terminal's foreground group
    as well, and if it ended first, the flow would wait for it in vain for minutes.

    Raises:
        InputError: the configured server does not answer.
    """
    url = PREFECT_API_URL.value()
    if not url:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            SubprocessASGIServer().start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return
    try:
        httpx.get(f"{url.rstrip('/')}/health", timeout=PATIENCE_SECONDS).raise_for_status()
    except httpx.HTTPError as error:
        raise InputError(
            f"the Prefect server at {url} (PREFECT_API_URL) does not answer ({error}); start it, "
            f"or unset PREFECT_API_URL to use an embedded one"
        ) from error
