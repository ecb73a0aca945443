"""Processes that belong together: begun one by one, kept alive, and ended without a trace."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from shards.errors import NightmarkError

GRACE_SECONDS = 20.0
POLL_SECONDS = 0.5
RESTARTS, WITHIN_SECONDS = 5, 300.0
"""A process that dies more often than this does not come up again by being begun again."""


class Member:
    """One process and how to begin it again; ``begun`` are the times of the recent beginnings."""

    def __init__(
        self, name: str, command: tuple[str, ...], environment: dict[str, str], log: Path
    ) -> None:
        self.name = name
        self.log = log
        self.begun: list[float] = []
        self._command = command
        self._environment = environment
        self.begin()

    def begin(self) -> None:
        now = time.monotonic()
        self.begun = [begun for begun in self.begun if now - begun < WITHIN_SECONDS] + [now]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own programs
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self._environment},
                start_new_session=True,
            )

    def ask_to_end(self) -> None:
        """Ask it to end, and wait for that a while."""
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(GRACE_SECONDS)

    def end(self) -> None:
        """End it, and what it left behind in its session."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Household:
    """The members, in the order in which they were begun; what each prints is kept under ``logs``.

    ``say`` gets a sentence about each event.

    Each is the head of a session of its own, so that Ctrl-C in a terminal reaches the parent alone,
    which then ends them in order.
    """

    def __init__(self, logs: Path, say: Callable[[str], None]) -> None:
        self._logs = logs
        self._say = say
        self._members: list[Member] = []

    def begin(self, name: str, command: Sequence[str], **environment: str) -> Member:
        log = self._logs / f"{name.lower().replace(' ', '-')}.log"
        member = Member(name, tuple(command), environment, log)
        self._members.append(member)
        return member

    def watch(self) -> None:
        """Begin again who dies, until interrupted.

        Raises:
            NightmarkError: one dies again and again.
        """
        while True:
            time.sleep(POLL_SECONDS)
            for member in self._members:
                if member.process.poll() is not None:
                    self._revive(member)

    def end(self) -> None:
        """Ask the last one first to end, and insist after a while; their children end too.

        Whoever cannot wait and interrupts this, too, leaves nothing running either.
        """
        last_first = self._members[::-1]
        try:
            for member in last_first:
                member.ask_to_end()
                member.end()
                self._say(f"{member.name}: ended")
        finally:
            for member in last_first:
                member.end()
            self._members.clear()

    def _revive(self, member: Member) -> None:
        code = member.process.returncode
        if len(member.begun) > RESTARTS:
            raise NightmarkError(
                f"the {member.name} ended {len(member.begun)} times within {WITHIN_SECONDS:.0f} s, "
                f"the last time with exit code {code}; {member.log} says why"
            )
        self._say(f"{member.name}: ended with exit code {code}, is begun again")
        member.begin()
