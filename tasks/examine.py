"""Verb: an evaluation and its figures → what the health checks find in them."""

from contextlib import suppress
from dataclasses import dataclass

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from shards.errors import InputError, ShardError
from shards.store import Store
from tasks.health.copies import FoundCopies, copies_id
from tasks.health.examination import Training
from tasks.health.examination import examine as run_checks
from tasks.health.finding import Finding, SearchedSplit
from tasks.health.kept import read_copies
from tasks.health.reading import StoredRows
from tasks.layout import PairName, SplitName
from tasks.metrics.scoring import Scoring
from tasks.predictions.evaluation import Evaluation, evaluation_id
from tasks.stored import StoredScoring, find_scored, read_evaluation


@dataclass(frozen=True, slots=True)
class TrainingSplit:
    """The split that models were trained on, its version, and the copies that were found in it.

    ``fault`` says why they could not be looked for.
    """

    name: SplitName
    version: str = ""
    copies: str = ""
    shards_folder: str = ""
    fault: str = ""


@task(name="examine", task_run_name="examine {scoring.pair}", cache_policy=NO_CACHE)
def examine(store: Store, scoring: Scoring, training: TrainingSplit | None) -> tuple[Finding, ...]:
    """One finding per check; none of them changes a verdict.

    Raises:
        ShardError: the stored predictions are unreadable.
    """
    evaluation = read_evaluation(store, scoring.pair.name, scoring.evaluation)
    rows = StoredRows(store, StoredScoring(evaluation, scoring))
    images = evaluation.images_digest
    within, _ = _copies(store, copies_id(images, images))
    known = None if training is None else _known(store, evaluation, training)
    findings = run_checks(rows, known, within)
    for finding in findings:
        if finding.severity == "warn":
            get_run_logger().warning("%s: %s", finding.title, finding.sentence)
    return findings


def _known(store: Store, evaluation: Evaluation, training: TrainingSplit) -> Training:
    copies, fault = _copies(store, training.copies) if training.copies else (None, "")
    return Training(
        name=str(training.name),
        copies=copies,
        scoring=_training_scoring(store, evaluation, training),
        fault=training.fault or fault,
        searched=SearchedSplit(
            dataset=training.name.dataset,
            split=training.name.split,
            version=training.version,
            shards_folder=training.shards_folder,
        ),
    )


def _copies(store: Store, copies: str) -> tuple[FoundCopies | None, str]:
    """What was found, or why it cannot be read: a check that fails must not fail the evaluation."""
    try:
        return read_copies(store, copies), ""
    except ShardError as error:
        get_run_logger().warning("%s", error)
        return None, str(error)


def _training_scoring(
    store: Store, evaluation: Evaluation, training: TrainingSplit
) -> Scoring | None:
    """The figures of the same model version, under the same numerics, on the training images."""
    pair = PairName(training.name, evaluation.pair.model)
    of = (training.version, evaluation.model_fingerprint, evaluation.numerics)
    for quick in dict.fromkeys((evaluation.quick, None)):
        with suppress(InputError):
            return find_scored(store, f"{pair}@{evaluation_id(*of, quick)}").scoring
    return None
