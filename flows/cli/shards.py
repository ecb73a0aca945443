"""``nightmark shard``, and ``nightmark plan-schema``."""

import json
from pathlib import Path
from typing import Annotated

import typer

from conf.loading import load
from conf.plan import Plan
from flows.cli.console import OUT, working
from shards.errors import InputError
from shards.reader import ShardedSplit
from shards.store import Store

commands = typer.Typer()


@commands.command()
def shard(
    plan: Annotated[Path, typer.Argument(help="The plan, a YAML file.", show_default=False)],
    dataset: Annotated[
        list[str] | None, typer.Option(help="A dataset of the plan; default: all. May be repeated.")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the plan."),
    ] = None,
) -> None:
    """Build the WebDataset shards of the plan's datasets; what is there already stays."""
    loaded = load(plan, overrides or [])
    try:
        wanted = [loaded.dataset(name) for name in dataset] if dataset else loaded.datasets
    except KeyError as error:
        raise InputError(str(error.args[0])) from error
    from flows.build_shards import build_shards

    store = Store.at(loaded.runtime.root)
    for entry in wanted:
        with working():
            folder = build_shards(entry, loaded.runtime)
        split = ShardedSplit.open(store, folder)
        manifest = split.manifest
        OUT.print(
            f"{entry.split_name}: {manifest.samples:,} samples in {len(manifest.shardlist)} "
            f"shards, {manifest.unlabelled} unlabelled, {len(manifest.skipped)} of "
            f"{manifest.entries:,} entries skipped",
            markup=False,
        )
        for skipped in manifest.skipped:
            OUT.print(f"  skipped {skipped.source_name}: {skipped.reason}", markup=False)
        OUT.print(f"  {store.locate(folder)}", markup=False, soft_wrap=True)
        OUT.print(f"  dataset version {split.version}", markup=False, soft_wrap=True)


@commands.command("plan-schema")
def plan_schema() -> None:
    """Print the JSON Schema of a plan, for editors that complete YAML."""
    OUT.print(plan_schema_text(), markup=False, soft_wrap=True, end="")


def plan_schema_text() -> str:
    """The JSON Schema of a plan, as it is committed."""
    return json.dumps(Plan.model_json_schema(), indent=2) + "\n"
