"""``nightmark compare``."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.markup import escape

from flows.cli.console import OUT, figures_table, print_table, say
from shards.store import Store
from tasks.comparisons import CHANGED, compare_stored, store_comparison
from tasks.leases import held
from tasks.metrics.change import Change
from tasks.metrics.comparison import ChangedSample, Comparison
from tasks.metrics.comparison_words import (
    basis,
    change_text,
    changed_classes,
    classes_text,
    conclusion,
    difference_text,
    ends_text,
    p_text,
    table_text,
)
from tasks.metrics.words import figure, metric_title
from tasks.stored import REFERENCE_FORM, find_scored, pair_of

commands = typer.Typer()
TABLE_WIDTH = 106
RootOption = Annotated[str, typer.Option(help="The artifact root.", envvar="NIGHTMARK_ROOT")]


@commands.command()
def compare(
    baseline: Annotated[
        str, typer.Argument(help=f"What to compare with: {REFERENCE_FORM}.", show_default=False)
    ],
    candidate: Annotated[
        str, typer.Argument(help="What may take its place, in the same form.", show_default=False)
    ],
    listed: Annotated[
        int, typer.Option("--list", min=0, max=50, help="So many fixed and broken images.")
    ] = 10,
    html: Annotated[
        bool, typer.Option("--html", help="Write a page with the images, too, and say where.")
    ] = False,
    to: Annotated[
        str,
        typer.Option(
            metavar="FOLDER",
            help="Write the page into this folder, too, with all that it needs: to mail, to serve.",
            show_default=False,
        ),
    ] = "",
    root: RootOption = "artifacts",
) -> None:
    """Compare two stored evaluations image by image: what was fixed, what broke, what is proven."""
    store = Store.at(root)
    splits = dict.fromkeys(pair_of(reference).split for reference in (baseline, candidate))
    with held(store, "comparison", tuple(splits)):
        found, changed = compare_stored(
            store, find_scored(store, baseline), find_scored(store, candidate)
        )
        folder = store_comparison(store, found, changed)
        page = _page(store, found, to) if html or to else None
    say(conclusion(found), *basis(found), table_text(found))
    _print_overall(found.overall)
    say(classes_text(found))
    _print_classes(found)
    _print_samples("broken", found, found.broken_samples[:listed])
    _print_samples("fixed", found, found.fixed_samples[:listed])
    OUT.print()
    say(f"All fixed and broken images: {store.locate(f'{folder}/{CHANGED}')}")
    if page is not None:
        say(f"Page: {page}")


def _page(store: Store, comparison: Comparison, to: str) -> str:
    from tasks.report.compare_page import write_comparison_page

    return write_comparison_page(store, comparison, to)


def _print_overall(changes: Sequence[Change]) -> None:
    table = figures_table(
        names=("metric",),
        figures=("baseline", "candidate", "difference", "95 %", "fixed", "broken", "exact test"),
    )
    for change in changes:
        table.add_row(escape(metric_title(change.metric)), *_cells(change))
    OUT.print()
    print_table(table, TABLE_WIDTH)
    OUT.print()


def _cells(change: Change) -> tuple[str, ...]:
    if change.difference is None or change.baseline is None or change.candidate is None:
        return ("-", "-", change.state.replace("_", " "), "", "", "", "")
    interval = change.interval(0.95)
    return (
        figure(change.metric, change.baseline),
        figure(change.metric, change.candidate),
        difference_text(change.metric, change.difference),
        "too few" if interval is None else ends_text(change.metric, interval),
        "" if change.fixed is None else f"{change.fixed:,}",
        "" if change.broken is None else f"{change.broken:,}",
        "" if change.p is None else p_text(change.p),
    )


def _print_classes(comparison: Comparison) -> None:
    for change in changed_classes(comparison):
        name = comparison.class_names[change.class_index or 0]
        say(f"  {name}: recall {change_text(change)}")


def _print_samples(what: str, comparison: Comparison, samples: Sequence[ChangedSample]) -> None:
    total = comparison.broken if what == "broken" else comparison.fixed
    if not total or not samples:
        return
    wrong = "candidate" if what == "broken" else "baseline"
    OUT.print()
    say(f"{what.capitalize()}, the surest mistakes of the {wrong} first ({total:,} in all):")
    for sample in samples:
        shown, said = (comparison.class_names[index] for index in (sample.target, sample.said))
        say(f"  {sample.key}: shows {shown}, {wrong} said {said} ({figure('', sample.confidence)})")
