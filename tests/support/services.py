"""The services of docs/operations.md, each by its own command, and their environment."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support.served import PROMPT, REPOSITORY, members, without_settings

PREFECT = (sys.executable, "-m", "prefect", "--no-prompt")
NIGHTMARK = (sys.executable, "-m", "flows")
SERVER = (*PREFECT, "server", "start")
WORKER = (*PREFECT, "worker", "start", "--pool", "nightmark", "--type", "process")


class Services:
    """Commands that share the environment of the services, in a clone of the repository."""

    def __init__(self, folder: Path, port: int, database: str) -> None:
        base = f"http://127.0.0.1:{port}"
        self.folder = folder
        self._begun: list[subprocess.Popen[str]] = []
        self._environment = {
            **without_settings(),
            **PROMPT,
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_API_URL": f"{base}/api",
            "PREFECT_UI_URL": base,
            "PREFECT_SERVER_API_PORT": str(port),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": database,
            "NIGHTMARK_PLAN": "tests/plans/small.yaml",
            "NIGHTMARK_CRON": "* * * * *",
            "NIGHTMARK_TIMEZONE": "Europe/Berlin",
            "NIGHTMARK_ROOT": str(folder / "root"),
            "TMPDIR": str(folder),
            "PYTHONPATH": str(REPOSITORY),
        }

    def run(self, *command: str) -> None:
        """Raises AssertionError with what it printed, if it fails."""
        done = self._done(command)
        assert done.returncode == 0, done.stdout + done.stderr

    def doctor(self, name: str) -> str:
        """What ``nightmark doctor`` says of one thing, with the remedy."""
        checks = json.loads(self._done((*NIGHTMARK, "doctor", "--json")).stdout)
        return next(f"{one['said']} {one['remedy']}" for one in checks if one["name"] == name)

    def begin(self, *command: str) -> "subprocess.Popen[str]":
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=REPOSITORY,
                env=self._environment,
                stdout=log,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        self._begun.append(process)
        return process

    def end(self) -> None:
        for pid, _ in members(self.folder):
            os.kill(pid, signal.SIGKILL)
        for process in self._begun:
            process.wait()

    def _done(self, command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command,
            cwd=REPOSITORY,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
