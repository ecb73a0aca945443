"""A progress artifact in the Prefect UI that moves with the shards."""

import re
import threading
import time
from typing import cast
from uuid import UUID

from prefect import get_run_logger
from prefect.artifacts import create_progress_artifact, update_progress_artifact

from tasks.layout import PairName, SplitName
from tasks.progress import Advance, Listener, Outline

UPDATE_SECONDS = 1.0


class Moving:
    """A listener that moves an artifact, at most once a second, and passes on what it hears."""

    def __init__(
        self, what: str, name: SplitName | PairName, outline: Outline, outer: Listener
    ) -> None:
        self._outer = outer
        self._lock = threading.Lock()
        self._work = outline.work
        self._done, self._total = outline.reused, outline.shards
        self._updated = time.monotonic()
        artifact = create_progress_artifact(
            progress=self._percent(), key=artifact_key(what, name), description=outline.work
        )
        self._artifact = cast("UUID", artifact)

    def begin(self, outline: Outline) -> None:
        self._outer.begin(outline)

    def advance(self, advance: Advance) -> None:
        self._outer.advance(advance)
        if advance.work != self._work:
            return
        with self._lock:
            self._done += advance.shards
            now = time.monotonic()
            if now - self._updated < UPDATE_SECONDS and self._done < self._total:
                return
            self._updated = now
            try:
                update_progress_artifact(self._artifact, progress=self._percent())
            except Exception as error:  # a server that is away must not end the work
                get_run_logger().warning("progress is not shown: %s", error)

    def _percent(self) -> float:
        return 100.0 * self._done / self._total


def artifact_key(what: str, name: SplitName | PairName) -> str:
    """Prefect allows small letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", f"{what}-{name}").strip("-")
