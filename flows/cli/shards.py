"""``nightmark shard``, ``verify``, ``inspect``, ``fetch`` and ``plan-schema``."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, get_args

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from conf.loading import load
from conf.plan import DatasetPlan, Plan
from conf.runtime import RuntimePlan
from flows.cli.console import OUT, showing_progress, working
from shards.errors import InputError, ShardError
from shards.manifest import Manifest
from shards.order import in_order
from shards.reader import Shard, ShardedSplit
from shards.recipe import Verify, recipe_for
from shards.sources.fetching import Advance as Received
from shards.sources.fetching import downloads
from shards.sources.fetching import fetch as fetch_files
from shards.sources.inspection import inspect_location
from shards.sources.inspection_text import description_lines, plan_lines
from shards.sources.opening import open_source
from shards.store import Store
from shards.verify import verify_split
from tasks.progress import Advance, Outline, listener

commands = typer.Typer()
DatasetsOption = Annotated[
    list[str] | None, typer.Option(help="A dataset of the plan; default: all. May be repeated.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the plan."),
]


@commands.command()
def shard(
    plan: Annotated[Path, typer.Argument(help="The plan, a YAML file.", show_default=False)],
    dataset: DatasetsOption = None,
    verify: Annotated[
        str | None,
        typer.Option(help="header, or decode: decode every image while building.", metavar="HOW"),
    ] = None,
    overrides: SetOption = None,
) -> None:
    """Build the WebDataset shards of the plan's datasets; what is there already stays."""
    loaded = load(plan, overrides or [])
    wanted = _wanted(loaded, dataset)
    if verify is not None:
        how = _verify(verify)
        wanted = tuple(entry.model_copy(update={"verify": how}) for entry in wanted)
    from flows.build_shards import shards_of

    store = Store.at(loaded.runtime.root)
    for entry in wanted:
        with working():
            folder = shards_of(entry, loaded.runtime)
        split = ShardedSplit.open(store, folder)
        _print_manifest(entry, split.manifest)
        OUT.print(f"  {store.locate(folder)}", markup=False, soft_wrap=True)
        OUT.print(f"  dataset version {split.version}", markup=False, soft_wrap=True)


@commands.command()
def verify(
    target: Annotated[
        str,
        typer.Argument(
            help="A plan, or the folder (or URL) of finished shards.",
            metavar="PLAN|FOLDER",
            show_default=False,
        ),
    ],
    dataset: DatasetsOption = None,
    overrides: SetOption = None,
) -> None:
    """Read all shards again and compare every byte with the manifest and samples.parquet.

    Exits 3 and names the first bad shard and key if anything was altered.
    """
    if target.endswith((".yaml", ".yml")) or Path(target).is_file():
        loaded = load(Path(target), overrides or [])
        store = Store.at(loaded.runtime.root)
        folders = [_folder(entry, loaded.runtime) for entry in _wanted(loaded, dataset)]
    elif dataset or overrides:
        raise InputError(f"{target} is no plan; --dataset and --set choose within a plan")
    else:
        whole = target if "://" in target else str(Path(target).resolve())
        parent, _, name = whole.rstrip("/").rpartition("/")
        store, folders = Store.at(parent or "/"), [name]
    bad = [message for folder in folders if (message := _verify_folder(store, folder))]
    if bad:
        raise ShardError("\n".join(bad))


@commands.command()
def inspect(
    location: Annotated[
        Path, typer.Argument(help="A file or folder with images.", show_default=False)
    ],
) -> None:
    """Say what dataset lies at LOCATION, and what a plan would call it."""
    for position, found in enumerate(inspect_location(location)):
        if position:
            OUT.print()
        for line in description_lines(found):
            OUT.print(line, markup=False, soft_wrap=True)
        OUT.print("in a plan, under `datasets:`", markup=False)
        for line in plan_lines(found):
            OUT.print(f"  {line}", markup=False, soft_wrap=True)


@commands.command()
def fetch(
    name: Annotated[
        str,
        typer.Argument(help="cifar10, cifar100, mnist or fashion-mnist.", show_default=False),
    ],
    to: Annotated[Path, typer.Option(help="The folder for the files.", show_default=False)],
) -> None:
    """Download the official files of a dataset; goes on where it was interrupted."""
    wanted = downloads(name, to)
    with _receiving() as received:
        paths = fetch_files(wanted, to, received)
    for path in paths:
        OUT.print(f"{path}", markup=False, soft_wrap=True)
    OUT.print(f"next: nightmark inspect {to}", markup=False, soft_wrap=True)


def _wanted(plan: Plan, names: Sequence[str] | None) -> tuple[DatasetPlan, ...]:
    try:
        return tuple(plan.dataset(name) for name in names) if names else plan.datasets
    except KeyError as error:
        raise InputError(str(error.args[0])) from error


def _verify(how: str) -> Verify:
    allowed: tuple[Verify, ...] = get_args(Verify)
    for known in allowed:
        if known == how:
            return known
    raise InputError(f"--verify {how}: allowed are {', '.join(allowed)}")


def _folder(dataset: DatasetPlan, runtime: RuntimePlan) -> str:
    """Where the shards of a dataset lie; its source is opened, not read."""
    source = open_source(dataset, dataset.split)
    ordered = in_order(source, dataset.order, dataset.order_seed)
    size = runtime.samples_per_shard
    recipe = recipe_for(ordered, dataset.name, dataset.split, size, dataset.verify)
    return dataset.split_name.shards(recipe.name)


def _verify_folder(store: Store, folder: str) -> str | None:
    """Verify one split and say so; what is wrong with it, if anything is."""
    try:
        split = ShardedSplit.open(store, folder)
        name = f"{split.manifest.dataset}/{split.manifest.split}"
        work = f"verify {name}"

        def done(shard: Shard) -> None:
            listener().advance(Advance(work, shards=1, images=shard.entry.nsamples))

        with showing_progress():
            listener().begin(Outline(work, len(split.manifest.shardlist), 0))
            found = verify_split(split, os.cpu_count() or 1, done)
        found.raise_if_bad()
    except ShardError as error:
        return str(error)
    OUT.print(
        f"{name}: {found.samples:,} samples in {found.shards} shards ({found.bytes:,} bytes) are "
        f"as they were written",
        markup=False,
        soft_wrap=True,
    )
    return None


def _print_manifest(dataset: DatasetPlan, manifest: Manifest) -> None:
    OUT.print(
        f"{dataset.split_name}: {manifest.samples:,} samples in {len(manifest.shardlist)} "
        f"shards, {manifest.unlabelled} unlabelled, {len(manifest.skipped)} of "
        f"{manifest.entries:,} entries skipped",
        markup=False,
    )
    for skipped in manifest.skipped:
        OUT.print(f"  skipped {skipped.source_name}: {skipped.reason}", markup=False)


@contextmanager
def _receiving() -> Iterator[Received]:
    """Shows what arrives: bars on a terminal, a line for every tenth elsewhere."""
    if not OUT.is_terminal:
        tenths: dict[str, int] = {}

        def line(name: str, done: int, total: int | None) -> None:
            tenth = 10 * done // total if total else done >> 24
            if tenth > tenths.get(name, 0):
                tenths[name] = tenth
                of = f" of {total:,}" if total else ""
                OUT.print(f"{name}: {done:,}{of} bytes", markup=False)

        yield line
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=OUT, transient=True) as progress:
        bars = {}

        def bar(name: str, done: int, total: int | None) -> None:
            if name not in bars:
                bars[name] = progress.add_task(name, total=total)
            progress.update(bars[name], completed=done, total=total)

        yield bar


@commands.command("plan-schema")
def plan_schema() -> None:
    """Print the JSON Schema of a plan, for editors that complete YAML."""
    OUT.print(plan_schema_text(), markup=False, soft_wrap=True, end="")


def plan_schema_text() -> str:
    """The JSON Schema of a plan, as it is committed."""
    return json.dumps(Plan.model_json_schema(), indent=2) + "\n"
