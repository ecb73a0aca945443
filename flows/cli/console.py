"""What the command prints: moving bars on a terminal, plain lines in a log, tables never cut."""

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from shards.errors import InputError, NightmarkError
from tasks.progress import Advance, Listener, Outline, listening

LEAST_WIDTH = 80
# A log has no width of its own; a table cut at 80 columns would hide the verdict.
OUT = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
ERR = Console(stderr=True, highlight=False)


class _Bars:
    """Progress bars, one per piece of work."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def begin(self, outline: Outline) -> None:
        self._tasks[outline.work] = self._progress.add_task(
            escape(outline.work), total=outline.shards, completed=outline.reused
        )

    def advance(self, advance: Advance) -> None:
        self._progress.advance(self._tasks[advance.work], advance.shards)


class _Lines:
    """One line where work begins and one for every tenth of it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._total: dict[str, int] = {}
        self._done: dict[str, int] = {}
        self._images: dict[str, int] = {}
        self._started: dict[str, float] = {}

    def begin(self, outline: Outline) -> None:
        with self._lock:
            self._total[outline.work] = outline.shards
            self._done[outline.work] = outline.reused
            self._images[outline.work] = 0
            self._started[outline.work] = time.monotonic()
        OUT.print(
            f"{outline.work}: {outline.shards} shards, {outline.reused} already there", markup=False
        )

    def advance(self, advance: Advance) -> None:
        work = advance.work
        with self._lock:
            before = self._done[work]
            self._done[work] += advance.shards
            self._images[work] += advance.images
            done, total, images = self._done[work], self._total[work], self._images[work]
            seconds = max(time.monotonic() - self._started[work], 1e-9)
        if 10 * done // total > 10 * before // total:
            rate = f"{images} images, {images / seconds:.0f} images/s"
            OUT.print(f"{work}: {done} of {total} shards, {rate}", markup=False)


@contextmanager
def working() -> Iterator[None]:
    """Around a flow: a server that answers, progress shown, and Ctrl-C as an expected error.

    Raises:
        InputError: the configured Prefect server does not answer.
        NightmarkError: interrupted.
    """
    from flows.cli.server import reach_or_start

    reach_or_start()
    try:
        with showing_progress():
            yield
    except KeyboardInterrupt as error:
        # typer would turn it into exit code 130 without a word.
        raise NightmarkError(
            "interrupted; what is finished is kept, run again for the rest"
        ) from error
    except SystemExit:
        ERR.print("nightmark: terminated; what is finished is kept, run again for the rest")
        raise


@contextmanager
def showing_progress() -> Iterator[None]:
    """Show progress inside the block: bars on a terminal, lines elsewhere."""
    if not OUT.is_terminal:
        lines: Listener = _Lines()
        with listening(lines):
            yield
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=OUT, transient=True) as progress, listening(_Bars(progress)):
        yield


def say(*sentences: str) -> None:
    """Each on a line of its own, as it is."""
    for sentence in sentences:
        OUT.print(sentence, markup=False, soft_wrap=True)


def write_file(path: Path, content: bytes) -> None:
    """A file that the user asked for, outside the artifact root.

    Raises:
        InputError: it cannot be written there.
    """
    try:
        path.write_bytes(content)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from error


def figures_table(*, names: Sequence[str], figures: Sequence[str]) -> Table:
    """An empty table: columns of names, which may be folded, then of figures, which may not."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    for figure in figures:
        table.add_column(figure, justify="right", no_wrap=True)
    return table


def print_table(table: Table, least_width: int = LEAST_WIDTH) -> None:
    """On a narrower terminal lines are broken at its edge: nothing is ever cut off."""
    OUT.print(_AtLeast(table, least_width), crop=False)


@dataclass(frozen=True)
class _AtLeast:
    """A table that rich does not squeeze below a width."""

    table: Table
    width: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = max(options.max_width, self.width)
        yield from console.render(self.table, options.update(width=width))
