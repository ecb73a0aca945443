"""``nightmark night``, ``evaluate``, ``import-predictions``, ``report``, ``nights``, ``demo``."""

import json
import sys
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from conf.loading import load, load_with_models
from conf.plan import ModelPlan, Plan
from flows.cli import environment
from flows.cli.console import OUT, say, working
from flows.cli.outcomes import EXIT_CODES, print_outcomes, print_work
from flows.cli.profiling import print_profile
from shards.errors import InputError, ShardError
from shards.store import Store
from tasks.metrics.words import counted
from tasks.models.spec import IMPORTED, Output
from tasks.night import Night, Outcome, of_subjects
from tasks.night_words import night_sentence
from tasks.stored import finished_nights, read_night, read_record

commands = typer.Typer()
PlanArgument = Annotated[Path, typer.Argument(help="The plan, a YAML file.", show_default=False)]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override a key of the plan, e.g. runtime.batch_size=8. May be repeated.",
    ),
]
DatasetOption = Annotated[str, typer.Option(help="A dataset of the plan.", show_default=False)]
ModelOption = Annotated[str, typer.Option(help="A model of the plan.", show_default=False)]
QuickOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Judge on the first N shards of each split alone: a quick look, never promoted.",
    ),
]
DeadlineOption = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="When to stop and publish what is whole: 3h, or 06:30 by runtime.time_zone.",
    ),
]
RootOption = Annotated[str, typer.Option(help="The artifact root.", envvar="NIGHTMARK_ROOT")]


@commands.command()
def night(
    plan: PlanArgument,
    overrides: SetOption = None,
    quick: QuickOption = None,
    deadline: DeadlineOption = None,
) -> None:
    """Evaluate every model of the plan on its datasets, judge, and write the night's report."""
    finished = _run_night(plan, overrides or [], quick, deadline)
    raise typer.Exit(EXIT_CODES[finished.state])


@commands.command()
def demo(
    root: Annotated[Path, typer.Option(help="Where all its files go.")] = Path("artifacts/demo"),
) -> None:
    """Run a night on real images and models that come with the demo packages, offline.

    Exits 0 whatever the verdict: twenty images are honestly inconclusive.
    """
    home = root / "prefect"
    environment.isolate(home)
    with resources.as_file(resources.files("conf").joinpath("demo.yaml")) as plan:
        _run_night(plan, [f"runtime.root={json.dumps(str(root))}"])
    OUT.print(f"Prefect UI with this run: {sys.argv[0]} ui --home {home}", soft_wrap=True)


@commands.command()
def evaluate(
    plan: PlanArgument,
    dataset: DatasetOption,
    model: ModelOption,
    overrides: SetOption = None,
    quick: QuickOption = None,
    profile: Annotated[
        bool, typer.Option("--profile", help="Print what each layer of the inference cost.")
    ] = False,
) -> None:
    """Evaluate one model on one dataset and judge it; shards are built if they are missing."""
    loaded = load_with_models(plan, overrides or [])
    _evaluate(loaded, dataset, model, quick=quick, profile=profile)


@commands.command("import-predictions")
def import_predictions(
    plan: PlanArgument,
    scores: Annotated[
        Path,
        typer.Argument(help="npy [n, classes] in the dataset's order, or Parquet (key, scores)."),
    ],
    dataset: DatasetOption,
    model: Annotated[str, typer.Option(help="A name for the model that made the scores.")],
    targets: Annotated[
        Path | None, typer.Option(help="npy of the labels the scores belong to; compared first.")
    ] = None,
    output: Annotated[
        str, typer.Option(help="logits, probabilities or log_probabilities.")
    ] = "logits",
    overrides: SetOption = None,
) -> None:
    """Take predictions that were computed elsewhere, and judge them by the plan's gates."""
    loaded = load(plan, overrides or [])
    imported = ModelPlan(
        name=model,
        loader=IMPORTED,
        weights=scores.resolve(),
        targets=targets.resolve() if targets else None,
        output=_output(output),
        datasets=(dataset,),
    )
    others = tuple(entry for entry in loaded.models if entry.name != model)
    _evaluate(loaded.model_copy(update={"models": (*others, imported)}), dataset, model)


@commands.command()
def report(
    name: Annotated[str, typer.Argument(help="A night, or latest.")] = "latest",
    root: RootOption = "artifacts",
) -> None:
    """Write the pages of a stored night again, from its records."""
    from tasks.report.pages import compose_report, write_night

    store = Store.at(root)
    names = finished_nights(store)
    if not names:
        raise InputError(f"{store.locate('')}: there is no night yet; run `nightmark night`")
    found, scorings = read_night(store, names[-1] if name == "latest" else name)
    page = write_night(store, compose_report(store, found, scorings))
    print_outcomes(store, found.outcomes)
    OUT.print(f"Report: {page}", soft_wrap=True)


@commands.command()
def history(root: RootOption = "artifacts") -> None:
    """Write the page of all nights again: verdicts and trends, from the nights' tables alone."""
    from tasks.report.pages import write_history

    OUT.print(f"History: {write_history(Store.at(root))}", soft_wrap=True)


@commands.command()
def nights(root: RootOption = "artifacts") -> None:
    """List the stored nights, the newest last; one with a damaged record is named, and exits 3."""
    store = Store.at(root)
    names = finished_nights(store)
    if not names:
        say(f"{store.locate('')}: there is no night yet; run `nightmark night`")
    damaged: list[str] = []
    for name in names:
        try:
            found = read_record(store, name)
        except ShardError as error:
            damaged.append(str(error))
            continue
        quick = "" if found.quick is None else f"  quick look, {counted(found.quick, 'shard')}"
        trial = ", ".join(of_subjects(found.overrides))
        trial = f"  with {trial}" if trial else ""
        OUT.print(
            f"{name}  {found.plan}  {found.state}{quick}{trial}", markup=False, soft_wrap=True
        )
    if damaged:
        raise ShardError("\n".join(damaged))


def _run_night(
    plan: Path, overrides: list[str], quick: int | None = None, deadline: str | None = None
) -> Night:
    loaded = load_with_models(plan, overrides)
    from flows.nightly import nightly
    from flows.returned import taken

    with working():
        finished = taken(nightly(plan, overrides, quick, deadline, return_state=True), Night)
    report_night(Store.at(loaded.runtime.root), finished)
    return finished


def report_night(store: Store, finished: Night) -> None:
    """Print what became of a published night, and where its page is."""
    from tasks.report.html import INDEX_PAGE

    print_outcomes(store, finished.outcomes)
    OUT.print()
    print_work(finished.outcomes, finished.work)
    cut_off = any(outcome.cut_off for outcome in finished.outcomes)
    if finished.quick is not None or cut_off or not finished.outcomes:
        say(night_sentence(finished))
    OUT.print(f"Night {finished.name}: {finished.state}")
    OUT.print(f"Report: {store.locate(f'nights/{finished.name}/{INDEX_PAGE}')}", soft_wrap=True)


def _evaluate(
    plan: Plan, dataset: str, model: str, *, quick: int | None = None, profile: bool = False
) -> None:
    try:
        plan.dataset(dataset)
        plan.model(model)
    except KeyError as error:
        raise InputError(str(error.args[0])) from error
    from flows.evaluate import evaluate as flow
    from flows.returned import taken
    from flows.runners import threads
    from tasks.slots.devices import find_devices

    on_slots = flow.with_options(task_runner=threads(len(find_devices(plan.runtime.devices))))

    with working():
        state = on_slots(plan, dataset, model, quick=quick, return_state=True)
        outcome = taken(state, Outcome)
    store = Store.at(plan.runtime.root)
    print_outcomes(store, (outcome,))
    print_work((outcome,), outcome.work)
    if profile:
        print_profile(outcome.work)
    if outcome.scoring is not None:
        scoring = outcome.pair.name.metrics(outcome.scoring)
        OUT.print(f"Metrics: {store.locate(scoring)}", soft_wrap=True)
    raise typer.Exit(EXIT_CODES[outcome.state])


def _output(name: str) -> Output:
    allowed: tuple[Output, ...] = ("logits", "probabilities", "log_probabilities")
    for output in allowed:
        if output == name:
            return output
    raise InputError(f"--output {name}: allowed are {', '.join(allowed)}")
