"""``nightmark rescore``: new figures from stored predictions, without a model."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, get_args

import typer

from conf.asking import asked_for
from conf.loading import load_with_models
from conf.plan import Plan
from flows.cli.console import ERR, OUT, figures_table, print_table
from flows.cli.outcomes import STATE_STYLES
from shards.errors import InputError
from shards.store import Store
from tasks.gates.against import against_baseline
from tasks.gates.judging import judge
from tasks.layout import PairName
from tasks.leases import held
from tasks.metrics.metric import Metric
from tasks.metrics.scoring import Scoring
from tasks.metrics.words import metric_title
from tasks.night import OutcomeState, judged_state
from tasks.report.words import figure_of
from tasks.stored import StoredScoring, find_scored, pair_of
from tasks.targets.overlay import OverlayKind, OverlaySpec
from tasks.targets.reading import read_overlay
from tasks.targets.rescoring import rescore as rescore_stored
from tasks.targets.rows import stored_overlay
from tasks.targets.words import overlaid_sentences

commands = typer.Typer()
PLAN_SUFFIXES = (".yaml", ".yml")
SHOWN = ("top1", "top5", "macro_recall", "nll")


@dataclass(frozen=True)
class Rescored:
    """The figures of an evaluation before and after, and the verdicts if there is a plan.

    The verdict on the old figures is None where they lack what a gate asks for.
    """

    old: Scoring
    new: Scoring
    verdicts: tuple[OutcomeState | None, OutcomeState] | None = None


@commands.command()
def rescore(
    reference: Annotated[
        str,
        typer.Argument(
            help="DATASET/SPLIT/MODEL[@NIGHT or @EVALUATION], or a plan for all of its pairs.",
            metavar="REFERENCE|PLAN",
            show_default=False,
        ),
    ],
    targets: Annotated[
        Path | None,
        typer.Option(help="CSV (key,label) or JSON of labels that count instead."),
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="corrected or acceptable; default: as the file looks.")
    ] = None,
    subset: Annotated[
        bool, typer.Option("--subset", help="The file may have keys that the dataset lacks.")
    ] = False,
    root: Annotated[
        str | None, typer.Option(help="The artifact root.", envvar="NIGHTMARK_ROOT")
    ] = None,
) -> None:
    """Compute the figures of stored evaluations again, as new scorings beside the old ones.

    With other targets, or after an update of the metrics. Neither models nor shards are needed.
    """
    if reference.endswith(PLAN_SUFFIXES):
        if targets is not None or kind is not None or subset:
            raise InputError(f"{reference}: with a plan, write `targets` into its datasets")
        plan = load_with_models(
            Path(reference), [f"runtime.root={json.dumps(root)}"] if root else []
        )
        store = Store.at(plan.runtime.root)
        with held(store, "rescoring", [entry.split_name for entry in plan.datasets]):
            found = list(_of_plan(store, plan))
    else:
        store = Store.at(root or "artifacts")
        spec = None if targets is None else _spec(targets, kind, subset=subset)
        with held(store, "rescoring", [pair_of(reference).split]):
            found = [_of_reference(store, reference, spec)]
    for rescored in found:
        _print(store, rescored)
    OUT.print("From the stored predictions alone: no model was loaded and no shard was read.")


def _spec(file: Path, kind: str | None, *, subset: bool) -> OverlaySpec:
    kinds: dict[str, OverlayKind] = {name: name for name in get_args(OverlayKind)}
    if kind is not None and kind not in kinds:
        raise InputError(f"--kind {kind}: allowed are {', '.join(kinds)}")
    return OverlaySpec(file=file, kind=None if kind is None else kinds[kind], subset=subset)


def _of_reference(store: Store, reference: str, spec: OverlaySpec | None) -> Rescored:
    """Without a file the targets stay those that the stored figures were computed under."""
    stored = find_scored(store, reference)
    overlay = (
        stored_overlay(store, stored.scoring)
        if spec is None
        else read_overlay(spec, stored.scoring.classes)
    )
    return Rescored(stored.scoring, rescore_stored(store, stored, overlay))


def _of_plan(store: Store, plan: Plan) -> Iterator[Rescored]:
    missing: list[str] = []
    for pair in plan.pairs():
        try:
            stored = find_scored(store, str(pair))
        except InputError as error:
            missing.append(str(error))
            continue
        yield _of_pair(store, plan, pair, stored)
    for line in missing:
        ERR.print(f"left out: {line}", markup=False, soft_wrap=True)
    if len(missing) == len(list(plan.pairs())):
        raise InputError(f"plan {plan.name}: nothing of it was evaluated yet; run the night first")


def _of_pair(store: Store, plan: Plan, pair: PairName, stored: StoredScoring) -> Rescored:
    asked = asked_for(plan, pair, stored.scoring.classes)
    new = rescore_stored(store, stored, asked.overlay, asked.spec)
    now = _state(store, plan, StoredScoring(stored.evaluation, new))
    try:
        before = _state(store, plan, stored)
    except InputError:
        # A gate may ask for a figure that earlier scorings did not have.
        return Rescored(stored.scoring, new, (None, now))
    return Rescored(stored.scoring, new, (before, now))


def _state(store: Store, plan: Plan, stored: StoredScoring) -> OutcomeState:
    """By the plan's gates of today, against the baseline of today."""
    scoring = stored.scoring
    reference = against_baseline(store, stored)
    try:
        gates = plan.gates_for(scoring.pair.name)
        verdicts = tuple(judge(gate, scoring, reference) for gate in gates)
    except ValueError as error:
        raise InputError(str(error)) from error
    return judged_state(verdicts, scoring.n, scoring.failed, plan.runtime.max_failed)


def _print(store: Store, rescored: Rescored) -> None:
    old, new = rescored.old, rescored.new
    table = figures_table(names=(str(new.pair),), figures=("before", "now", "change"))
    for name in SHOWN:
        before, now = old.metric(name), new.metric(name)
        table.add_row(metric_title(name), *map(_cell, (before, now)), _change(before, now))
    table.add_row(
        "Images", f"{old.n:,}", f"{new.n:,}", f"{new.n - old.n:+,}" if new.n != old.n else ""
    )
    if rescored.verdicts is not None:
        earlier, today = rescored.verdicts
        changed = "changed" if earlier not in (None, today) else ""
        table.add_row("Verdict", *map(_styled, rescored.verdicts), changed)
    print_table(table)
    if old.metrics_revision != new.metrics_revision:
        OUT.print(f"Metrics revision {old.metrics_revision} before, {new.metrics_revision} now.")
    for sentence in () if new.overlaid is None else overlaid_sentences(new.overlaid):
        OUT.print(sentence, markup=False, soft_wrap=True)
    for title, scoring in (("Before", old), ("Now", new)):
        where = store.locate(scoring.pair.name.metrics(scoring.id))
        OUT.print(f"{title}: {where}", markup=False, soft_wrap=True)
    OUT.print()


def _styled(state: OutcomeState | None) -> str:
    return "not judged" if state is None else f"[{STATE_STYLES[state]}]{state}[/]"


def _cell(metric: Metric) -> str:
    if metric.value is None:
        return metric.state.replace("_", " ")
    return str(figure_of(metric)).replace("[", "\\[")


def _change(before: Metric, now: Metric) -> str:
    if before.value is None or now.value is None:
        return ""
    difference = now.value - before.value
    if not difference:
        return "none"
    text = f"{difference:+.4f}" if before.name == "nll" else f"{100 * difference:+.2f} points"
    return text.replace("-", "−")
