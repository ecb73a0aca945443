"""``nightmark health`` and ``leakage``."""

from pathlib import Path
from typing import Annotated

import pyarrow as pa
import pyarrow.csv
import typer

from conf.loading import load
from flows.cli.console import OUT, say, working, write_file
from shards.errors import InputError
from shards.reader import ShardedSplit
from shards.store import Store
from tasks.health.copies import FoundCopies, copies_id
from tasks.health.duplicates import duplicates
from tasks.health.examination import Training, examine
from tasks.health.finding import Finding, SearchedSplit
from tasks.health.kept import read_copies
from tasks.health.leakage import leakage as leakage_finding
from tasks.health.reading import StoredRows
from tasks.health.sheet import contact_sheet, shown_pairs
from tasks.health.words import evidence_lines
from tasks.stored import REFERENCE_FORM, StoredScoring, find_scored

commands = typer.Typer()
NO_COPIES = "the images of {train} were not searched for copies."


@commands.command()
def health(
    reference: Annotated[
        str, typer.Argument(help=f"What to examine: {REFERENCE_FORM}.", show_default=False)
    ],
    train: Annotated[
        str | None,
        typer.Option(help="The same model on its training images, in the same form."),
    ] = None,
    root: Annotated[
        str, typer.Option(help="The artifact root.", envvar="NIGHTMARK_ROOT")
    ] = "artifacts",
) -> None:
    """Run every health check on a stored evaluation; no model is run, no verdict changes."""
    store = Store.at(root)
    stored = find_scored(store, reference)
    training = None if train is None else _training(store, stored, find_scored(store, train))
    images = stored.evaluation.images_digest
    within = read_copies(store, copies_id(images, images))
    findings = examine(StoredRows(store, stored), training, within)
    say(f"{stored.scoring.pair}, evaluation {stored.evaluation.id}")
    for finding in findings:
        _print_finding(finding)


@commands.command()
def leakage(
    plan: Annotated[Path, typer.Argument(help="The plan, a YAML file.", show_default=False)],
    dataset: Annotated[
        str, typer.Option(help="The dataset whose images are looked for.", show_default=False)
    ],
    pairs: Annotated[
        Path | None, typer.Option(help="Write every pair to this CSV file.", show_default=False)
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option(help="Write the surest pairs side by side to this PNG.", show_default=False),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the plan."),
    ] = None,
) -> None:
    """Find the images of a dataset in its training set (`train` in the plan), and twice in itself.

    What was found is kept; --pairs and --sheet show the training set's, or without one the
    dataset's own.
    """
    loaded = load(plan, overrides or [])
    try:
        entry = loaded.dataset(dataset)
    except KeyError as error:
        raise InputError(str(error.args[0])) from error
    trained_on = None if entry.train is None else loaded.dataset(entry.train)
    from flows.build_shards import shards_of
    from flows.find_copies import find_copies

    store = Store.at(loaded.runtime.root)
    size = loaded.runtime.shards_per_task
    with working():
        folder = shards_of(entry, loaded.runtime)
        within = find_copies(loaded.runtime.root, folder, folder, size)
        other_folder, record = folder, within
        if trained_on is not None:
            other_folder = shards_of(trained_on, loaded.runtime)
            record = find_copies(loaded.runtime.root, folder, other_folder, size)
    OUT.print()
    _print_finding(duplicates(_kept(store, within.id)))
    if trained_on is None:
        say(f"{dataset} names no `train` in the plan; no other dataset was searched.")
    else:
        _print_finding(leakage_finding(_kept(store, record.id), str(trained_on.split_name)))
    _export(store, _kept(store, record.id), folder, other_folder, pairs, sheet)


def _training(store: Store, stored: StoredScoring, trained: StoredScoring) -> Training:
    if trained.scoring.pair.name.split == stored.scoring.pair.name.split:
        raise InputError(
            f"--train {trained.scoring.pair} is what is examined; name the evaluation of the "
            f"images that the model was trained on"
        )
    if trained.evaluation.model_fingerprint != stored.evaluation.model_fingerprint:
        raise InputError(
            f"{trained.scoring.pair} is of another version of the model than "
            f"{stored.scoring.pair}; name the evaluation of the same one with @ID"
        )
    digests = stored.evaluation.images_digest, trained.evaluation.images_digest
    name = str(trained.scoring.pair.name.split)
    return Training(
        name=name,
        copies=read_copies(store, copies_id(*digests)),
        scoring=trained.scoring,
        fault=NO_COPIES.format(train=name),
        searched=SearchedSplit(
            dataset=trained.scoring.pair.dataset,
            split=trained.scoring.pair.split,
            version=trained.evaluation.dataset_version,
            shards_folder=trained.evaluation.shards_folder,
        ),
    )


def _kept(store: Store, copies: str) -> FoundCopies:
    found = read_copies(store, copies)
    if found is None:
        raise RuntimeError(f"the record {copies} of copies vanished")
    return found


def _export(
    store: Store,
    found: FoundCopies,
    folder: str,
    other_folder: str,
    pairs: Path | None,
    sheet: Path | None,
) -> None:
    if pairs is not None:
        table = pa.BufferOutputStream()
        pyarrow.csv.write_csv(found.pairs, table)
        write_file(pairs, table.getvalue().to_pybytes())
        say(f"Pairs: {pairs}")
    if sheet is not None:
        split = ShardedSplit.open(store, folder)
        other = ShardedSplit.open(store, other_folder)
        write_file(sheet, contact_sheet(shown_pairs(found, split, other)))
        say(f"Contact sheet: {sheet}")


def _print_finding(finding: Finding) -> None:
    mark = ("!" if finding.severity == "warn" else "+") if finding.checked else "-"
    say(f"{mark} {finding.title}: {finding.sentence}")
    for line in evidence_lines(finding):
        say(f"    {line}")
    if finding.advice:
        say(f"  {finding.advice}")
