"""``nightmark sql``: DuckDB over the artifact root."""

import csv
import sys
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from flows.cli.console import print_table, say
from shards.errors import InputError
from shards.store import Store
from tasks.views import open_views

commands = typer.Typer()
SHOWN_ROWS = 100


@commands.command()
def sql(
    query: Annotated[
        str, typer.Argument(help="Statements; of the last one the rows are shown. -: from stdin.")
    ] = "-",
    as_csv: Annotated[bool, typer.Option("--csv", help="Print all rows as CSV.")] = False,
    root: Annotated[
        str, typer.Option(help="The artifact root.", envvar="NIGHTMARK_ROOT")
    ] = "artifacts",
) -> None:
    """Ask DuckDB, with views of the current, whole evaluations and of every night's figures.

    `predictions`: each image of the newest whole evaluation of each pair; `evaluations`: which
    these are; `metrics`: every figure of every night. Paths are those of the artifact root.
    """
    connection = open_views(Store.at(root))
    # It is there, or the views would have said so.
    import duckdb

    try:
        connection.execute(sys.stdin.read() if query == "-" else query)
        names = [column[0] for column in connection.description or ()]
        rows = connection.fetchall() if names else []
    except duckdb.Error as error:
        raise InputError(f"DuckDB: {error}") from error
    finally:
        connection.close()
    if as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows([names, *rows])
    else:
        _print(names, rows)


def _print(names: list[str], rows: list[tuple[Any, ...]]) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in names:
        table.add_column(escape(name), overflow="fold")
    for row in rows[:SHOWN_ROWS]:
        table.add_row(*("" if value is None else escape(str(value)) for value in row))
    print_table(table)
    if len(rows) > SHOWN_ROWS:
        say(f"{len(rows) - SHOWN_ROWS:,} more rows; --csv prints all")
