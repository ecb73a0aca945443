"""What became of pairs, as a person reads it at the end: a table, and the reasons below."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from rich.markup import escape

from flows.cli.console import OUT, figures_table, print_table, say
from shards.store import Store
from tasks.gates.overrides import override_notes
from tasks.metrics.metric import Metric
from tasks.metrics.point_words import check_sentence
from tasks.metrics.scoring import Scoring
from tasks.night import Outcome, OutcomeState, Work
from tasks.stored import read_scorings
from tasks.targets.words import overlaid_sentences

STATE_STYLES: dict[OutcomeState, str] = {
    "passed": "bold green",
    "failed": "bold red",
    "inconclusive": "bold yellow",
    "incomplete": "bold magenta",
    "unusable": "bold magenta",
}
EXIT_CODES: dict[OutcomeState, int] = {
    "passed": 0,
    "failed": 1,
    "unusable": 2,
    "incomplete": 3,
    "inconclusive": 4,
}


def print_outcomes(store: Store, outcomes: tuple[Outcome, ...]) -> None:
    """The table models x datasets, then a line per pair that says why."""
    scorings = read_scorings(store, outcomes)
    overrides = override_notes(store, outcomes, datetime.now(UTC))
    table = figures_table(
        names=("dataset", "model"), figures=("top-1", "95 %", "top-5", "95 %", "n")
    )
    table.add_column("verdict", no_wrap=True)
    for outcome in outcomes:
        scoring = scorings.get(str(outcome.pair))
        figures = ("-",) * 5
        if scoring is not None:
            top1, top5 = scoring.metric("top1"), scoring.metric("top5")
            figures = (*_cells(top1), *_cells(top5), f"{scoring.n:,}")
        table.add_row(
            escape(f"{outcome.pair.dataset}/{outcome.pair.split}"),
            escape(outcome.pair.model),
            *figures,
            f"[{STATE_STYLES[outcome.state]}]{outcome.state}[/]",
        )
    OUT.print()
    print_table(table)
    OUT.print()
    for outcome in outcomes:
        _print_reasons(
            outcome, scorings.get(str(outcome.pair)), overrides.get(str(outcome.pair), ())
        )


def _print_reasons(outcome: Outcome, scoring: Scoring | None, overridden: Sequence[str]) -> None:
    """Why a pair has its verdict, and what else a reader must know of its figures."""
    notes = [outcome.message, *overridden]
    notes += [] if outcome.quick is None else [outcome.quick.sentence]
    notes += [] if outcome.comparison is None else [outcome.comparison.sentence]
    notes += [] if scoring is None else _remarks(scoring)
    notes += [
        f"health: {finding.title}: {finding.sentence}"
        for finding in outcome.findings
        if finding.severity == "warn"
    ]
    if outcome.skipped:
        entries = outcome.samples + len(outcome.skipped)
        notes.append(
            f"{len(outcome.skipped):,} of {entries:,} entries of the source were skipped and have "
            f"no part in the figures"
        )
    say(*(f"{outcome.pair}: {note}" for note in notes))


def print_work(outcomes: tuple[Outcome, ...], work: Work) -> None:
    """What was computed and what was reused."""
    if not work.computed and not (outcomes and all(outcome.scoring for outcome in outcomes)):
        OUT.print(f"Nothing was computed; reused {work.reused} shards.")
    elif work.computed:
        line = f"Computed {work.computed} shards ({work.images:,} images in {work.seconds:.1f} s)"
        OUT.print(f"{line}, reused {work.reused}.")
        if work.damaged:
            OUT.print(f"{work.damaged} of them were there, but damaged, and were computed again.")
        if work.setup:
            OUT.print(f"Inference: {work.setup}.", soft_wrap=True)
    else:
        OUT.print(f"Nothing to compute: the predictions of all {work.reused} shards were there.")


def _remarks(scoring: Scoring) -> Iterator[str]:
    """Under which targets it was judged, and what became of its operating points."""
    if scoring.overlaid is not None:
        yield from overlaid_sentences(scoring.overlaid)
    for check in scoring.operating_points:
        yield check_sentence(check, scoring.classes)


def _cells(metric: Metric) -> tuple[str, str]:
    if metric.value is None or metric.low is None or metric.high is None:
        return metric.state.replace("_", " "), ""
    return f"{100 * metric.value:.1f} %", f"{100 * metric.low:.1f} to {100 * metric.high:.1f}"
