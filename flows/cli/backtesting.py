"""``nightmark gate-backtest``."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from conf.loading import load_with_models
from flows.cli.console import OUT, figures_table, print_table, say
from shards.store import Store
from tasks.gates.backtest import Replayed, Unreadable, backtest
from tasks.gates.sentences import VerdictState
from tasks.metrics.words import counted

commands = typer.Typer()
STYLES: dict[VerdictState, str] = {
    "passed": "green",
    "failed": "bold red",
    "inconclusive": "yellow",
    "not_applicable": "dim",
}


@commands.command("gate-backtest")
def gate_backtest(
    plan: Annotated[Path, typer.Argument(help="The plan, a YAML file.", show_default=False)],
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the plan."),
    ] = None,
    fired: Annotated[
        bool, typer.Option("--fired", help="Only the nights in which a gate failed.")
    ] = False,
) -> None:
    """Judge all stored nights by the gates of the plan as it is now; nothing is computed anew."""
    loaded = load_with_models(plan, overrides or [])
    store = Store.at(loaded.runtime.root)
    gates = {pair: loaded.gates_for(pair) for pair in loaded.pairs()}
    found = list(backtest(store, gates))
    replayed = [entry for entry in found if isinstance(entry, Replayed)]
    _print_nights([r for r in replayed if r.verdict.state == "failed" or not fired])
    _print_counts(replayed)
    unreadable = [entry for entry in found if isinstance(entry, Unreadable)]
    for entry in unreadable:
        say(f"not judged: {entry.night}, {entry.what}: {entry.why}")
    if not found:
        OUT.print(f"{store.locate('nights')}: no stored night evaluated a pair of this plan")


def _print_nights(replayed: Sequence[Replayed]) -> None:
    if not replayed:
        return
    table = figures_table(names=("night", "pair", "gate", "now", "then"), figures=())
    for entry in replayed:
        table.add_row(
            escape(entry.night),
            escape(str(entry.pair)),
            escape(str(entry.verdict.gate)),
            _word(entry.verdict.state),
            "not in the plan" if entry.then is None else _word(entry.then),
        )
    print_table(table)
    OUT.print()


def _print_counts(replayed: Sequence[Replayed]) -> None:
    """How often each gate had which state, and in which nights it fired last and first."""
    groups: dict[tuple[str, str], list[Replayed]] = {}
    for entry in replayed:
        groups.setdefault((str(entry.pair), str(entry.verdict.gate)), []).append(entry)
    for (pair, gate), entries in groups.items():
        states = Counter(entry.verdict.state for entry in entries)
        told = ", ".join(f"{states[s]:,} {s.replace('_', ' ')}" for s in STYLES if states[s])
        nights = [entry.night for entry in entries if entry.verdict.state == "failed"]
        when = f"; it would have fired first in {nights[0]}" if nights else ""
        last = f" and last in {nights[-1]}" if len(nights) > 1 else ""
        changed = sum(e.then is not None and e.then != e.verdict.state for e in entries)
        other = f"; {counted(changed, 'night')} judged otherwise then" if changed else ""
        OUT.print(
            f"{pair}: {gate}: {counted(len(entries), 'night')}: {told}{when}{last}{other}",
            markup=False,
            soft_wrap=True,
        )


def _word(state: VerdictState) -> str:
    return f"[{STYLES[state]}]{state.replace('_', ' ')}[/]"
