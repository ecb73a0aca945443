"""``nightmark prune``."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from conf.loading import load
from flows.cli.console import OUT, figures_table, print_table, say
from shards.store import Store
from tasks.retention.choosing import Choice
from tasks.retention.rules import Retention
from tasks.retention.words import lines, reasons, sentences, size_text
from tasks.retention.work import prune as prune_store

commands = typer.Typer()


@commands.command()
def prune(
    plan: Annotated[
        Path | None,
        typer.Argument(
            help="A plan: its root, and its `retention`; default: the usual rules.",
            show_default=False,
        ),
    ] = None,
    delete: Annotated[
        bool, typer.Option("--delete", "--yes", help="Remove it; else it is only told.")
    ] = False,
    listed: Annotated[bool, typer.Option("--list", help="Name every file that goes.")] = False,
    newest: Annotated[
        int | None, typer.Option(min=1, help="Keep so many newest nights of each plan.")
    ] = None,
    days: Annotated[
        int | None, typer.Option(min=0, help="Keep the nights of so many days.")
    ] = None,
    weeks: Annotated[
        int | None, typer.Option(min=0, help="Keep one night a week, for so many weeks.")
    ] = None,
    months: Annotated[
        int | None, typer.Option(min=0, help="Keep one night a month, for so many months.")
    ] = None,
    unused_days: Annotated[
        int | None, typer.Option(min=0, help="Keep what nothing needs for so many days.")
    ] = None,
    root: Annotated[
        str | None, typer.Option(help="The artifact root.", envvar="NIGHTMARK_ROOT")
    ] = None,
) -> None:
    """Remove what no kept night and no baseline needs; without --delete, say what would go.

    Nothing that a running night, evaluation or build works on is touched. Decisions stay.
    """
    loaded = None if plan is None else load(plan)
    at = root or ("artifacts" if loaded is None else loaded.runtime.root)
    given = {
        "newest": newest,
        "days": days,
        "weeks": weeks,
        "months": months,
        "unused_days": unused_days,
    }
    base = Retention() if loaded is None else loaded.retention
    rules = base.model_copy(update={key: n for key, n in given.items() if n is not None})
    store = Store.at(at)
    choice = prune_store(store, rules, datetime.now(UTC), delete=delete)
    say(f"{store.locate('')}: {rules}")
    _print(choice)
    if listed:
        for reasoned in choice.going:
            say(f"goes: {reasoned.piece.place.path}: {reasoned.why}")
        say(*(f"goes: {file.path}: of a killed writer" for file in choice.partial))
    say(*sentences(choice, removed=delete))
    if not delete and not choice.is_empty:
        say("Nothing was removed yet: add --delete.")


def _print(choice: Choice) -> None:
    table = figures_table(names=("what",), figures=("goes", "gives back", "stays", "takes"))
    for line in lines(choice):
        table.add_row(
            line.kind,
            f"{line.going:,}",
            size_text(line.freed),
            f"{line.kept:,}",
            size_text(line.kept_bytes),
        )
    OUT.print()
    print_table(table)
    OUT.print()
    say(*reasons(choice))
