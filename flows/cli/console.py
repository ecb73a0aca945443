"""What the command prints: moving bars on a terminal, plain lines in a log, tables never cut."""

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
)
from rich.table import Table

from shards.errors import InputError, NightmarkError
from tasks.pace import Pace
from tasks.progress import Advance, Listener, Outline, listening

LEAST_WIDTH = 80
# A log has no width of its own; a table cut at 80 columns would hide the verdict.
OUT = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
ERR = Console(stderr=True, highlight=False)


class _Bars:
    """Progress bars, one per piece of work, with its pace."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._under_way: dict[str, tuple[TaskID, Pace]] = {}

    def begin(self, outline: Outline) -> None:
        bar = self._progress.add_task(
            escape(outline.work), total=outline.shards, completed=outline.reused, pace=""
        )
        self._under_way[outline.work] = (bar, Pace(outline))

    def advance(self, advance: Advance) -> None:
        bar, pace = self._under_way[advance.work]
        pace.advance(advance)
        self._progress.update(bar, completed=pace.done, pace=pace.words())


class _Lines:
    """One line where work begins and one for every tenth of it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: dict[str, Pace] = {}

    def begin(self, outline: Outline) -> None:
        with self._lock:
            self._under_way[outline.work] = Pace(outline)
        say(f"{outline.work}: {outline.shards} shards, {outline.reused} already there")

    def advance(self, advance: Advance) -> None:
        with self._lock:
            pace = self._under_way[advance.work]
            before = pace.percent
            pace.advance(advance)
            after = pace.percent
        if after // 10 > before // 10:
            say(f"{advance.work}: {pace.words()}")


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
        TextColumn("{task.fields[pace]}"),
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
