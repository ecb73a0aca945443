"""The pages of nights over HTTP, on this machine alone, beside the Prefect UI."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from shards.errors import InputError

HOST = "127.0.0.1"


def report_site(nights: Path) -> Starlette:
    """The files of the folder of nights, and no others: no link in it leads out of it.

    It answers to this machine's own name alone, so that no foreign page can have a browser read it.
    """
    files = StaticFiles(directory=nights, html=True, follow_symlink=False)
    only_here = Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])
    return Starlette(routes=[Mount("/", files)], middleware=[only_here])


@contextmanager
def serving_reports(nights: Path, port: int) -> Iterator[str]:
    """Serve the folder of nights inside the block; gives the address of its first page.

    Raises:
        InputError: the port is taken.
    """
    listener = socket.socket()
    # As uvicorn would: a port is free again as soon as its server has ended.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        # From here on who asks waits, and is not refused.
        listener.listen()
    except OSError as error:
        listener.close()
        raise InputError(
            f"port {port} for the reports cannot be used ({error.strerror}); choose another one "
            f"with --reports-port"
        ) from error
    config = uvicorn.Config(report_site(nights), log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{listener.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
