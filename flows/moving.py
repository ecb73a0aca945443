"""Work that moves in the Prefect UI: a progress artifact, and now and then a line of the log."""

import re
import threading
import time
from typing import cast
from uuid import UUID

from prefect import get_run_logger
from prefect.artifacts import create_progress_artifact, update_progress_artifact

from tasks.layout import PairName, SplitName
from tasks.pace import Pace
from tasks.progress import Advance, Listener, Outline

UPDATE_SECONDS = 1.0


class Moving:
    """A listener that moves an artifact, at most once a second, and passes on what it hears.

    Attributes:
        pace: of the work that it was made for.
    """

    def __init__(
        self, what: str, name: SplitName | PairName, outline: Outline, outer: Listener
    ) -> None:
        self._outer = outer
        self._lock = threading.Lock()
        self.pace = Pace(outline)
        self._updated = time.monotonic()
        artifact = create_progress_artifact(
            progress=self.pace.percent, key=artifact_key(what, name), description=self._words()
        )
        self._artifact = cast("UUID", artifact)
        get_run_logger().info("%s", self._words())

    def begin(self, outline: Outline) -> None:
        self._outer.begin(outline)

    def advance(self, advance: Advance) -> None:
        self._outer.advance(advance)
        if advance.work != self.pace.outline.work:
            return
        with self._lock:
            self.pace.advance(advance)
            if self.pace.line_is_due():
                get_run_logger().info("%s", self._words())
            now = time.monotonic()
            if now - self._updated < UPDATE_SECONDS and not self.pace.is_done:
                return
            self._updated = now
            try:
                update_progress_artifact(
                    self._artifact, progress=self.pace.percent, description=self._words()
                )
            except Exception as error:  # a server that is away must not end the work
                get_run_logger().warning("progress is not shown: %s", error)

    def _words(self) -> str:
        return f"{self.pace.outline.work}: {self.pace.words()}"


def artifact_key(what: str, name: SplitName | PairName) -> str:
    """Prefect allows small letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", f"{what}-{name}").strip("-")
