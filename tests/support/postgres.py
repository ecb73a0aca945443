"""A PostgreSQL of our own: made, begun on a free port, and gone afterwards."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

NAME = "nightmark"
START_SECONDS = 60


def program(name: str) -> str | None:
    """Where a program of PostgreSQL is; Debian keeps the server's off the PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(debian[-1]) if debian else None)


@contextmanager
def postgres(port: int) -> Iterator[str]:
    """The database as Prefect wants it written; the test is skipped where there is no program."""
    initdb, server = program("initdb"), program("postgres")
    if initdb is None or server is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    # Not in pytest's folder: nobody but its owner may look into that.
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        folder = Path(place) / "cluster"
        folder.mkdir(mode=0o700)
        user = _unprivileged()
        if user is not None:
            os.chown(place, user, -1)
            os.chown(folder, user, -1)
        made = subprocess.run(
            [initdb, "-D", folder, "-A", "trust", "-U", NAME, "--no-sync"],
            cwd=place,
            user=user,
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stderr
        log = folder / "log"
        with log.open("wb") as told:
            process = subprocess.Popen(
                [server, "-D", folder, "-p", str(port), "-h", "127.0.0.1", "-k", folder, "-F"],
                cwd=place,
                user=user,
                stdout=told,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            _wait(process, folder / "postmaster.pid", log)
            yield f"postgresql+asyncpg://{NAME}@127.0.0.1:{port}/postgres"
        finally:
            # Its own word for "at once, but whole": connections are cut.
            process.send_signal(signal.SIGINT)
            process.wait(60)


def _unprivileged() -> int | None:
    """Whom to run it as, since PostgreSQL refuses root; None where we are not root."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name).pw_uid
    pytest.skip("PostgreSQL refuses to run as root, and there is no user postgres or nobody")


def _wait(process: "subprocess.Popen[bytes]", status: Path, log: Path) -> None:
    """Until the eighth line of its status file says so."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError):
            if status.read_text().splitlines()[7:8] == ["ready   "]:
                return
        time.sleep(0.1)
    raise AssertionError(f"PostgreSQL does not begin:\n{log.read_text()}")
