"""What earlier runs left under the artifact root: nights, evaluations and scorings, by name."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from shards.errors import InputError
from shards.manifest import SAMPLES_NAME
from shards.sample import ClassList
from shards.store import Store
from tasks.layout import NIGHT, NIGHTS, PairName, SplitName, is_night_name, night_folder
from tasks.metrics.scoring import Scoring
from tasks.metrics.slicing import Slicing, needed_columns, slice_samples
from tasks.metrics.spec import ScoringSpec
from tasks.metrics.summary import METRICS_REVISION
from tasks.night import Night, Outcome
from tasks.predictions.evaluation import Evaluation
from tasks.predictions.schema import SCHEMA, SCORE_COLUMNS
from tasks.tables import read_table, read_table_of

REFERENCE_FORM = "write DATASET/SPLIT/MODEL, or DATASET/SPLIT/MODEL@ID of a night or an evaluation"


@dataclass(frozen=True)
class StoredScoring:
    """An evaluation and the figures computed from it."""

    evaluation: Evaluation
    scoring: Scoring


def finished_nights(store: Store) -> list[str]:
    """The names of the stored nights, oldest first; one that was cut off has no record yet.

    A folder that is called otherwise than nights are was put there by hand, and is none.
    """
    names = filter(is_night_name, store.names(NIGHTS))
    return [name for name in names if store.exists(f"{night_folder(name)}/{NIGHT}")]


def read_record(store: Store, name: str) -> Night:
    """A night's own record.

    Raises:
        InputError: there is no such night.
        ShardError: its record is unreadable.
    """
    if name not in finished_nights(store):
        raise InputError(
            f"{store.locate(NIGHTS)} has no night {name!r}; `nightmark nights` lists them"
        )
    path = f"{night_folder(name)}/{NIGHT}"
    return Night.from_json(store.read(path), store.locate(path))


def full_nights(store: Store) -> Iterator[Night]:
    """The stored nights that judged whole splits, the newest first; quick looks are left out.

    Raises:
        ShardError: a record is unreadable.
    """
    nights = (read_record(store, name) for name in reversed(finished_nights(store)))
    return (night for night in nights if night.quick is None)


def newest_night(store: Store, plan: str) -> Night | None:
    """The newest full night of a plan, by the plan's name. Raises ShardError."""
    return next((night for night in full_nights(store) if night.plan == plan), None)


def read_night(store: Store, name: str) -> tuple[Night, dict[str, Scoring]]:
    """A stored night and the scorings that it refers to.

    Raises:
        InputError: there is no such night.
        ShardError: one of its records is missing or unreadable.
    """
    night = read_record(store, name)
    return night, read_scorings(store, night.outcomes)


def read_scorings(store: Store, outcomes: Sequence[Outcome]) -> dict[str, Scoring]:
    """The scorings of outcomes that have one, by the name of their pair. Raises ShardError."""
    return {
        str(outcome.pair): read_scoring(store, outcome.pair.name, outcome.scoring)
        for outcome in outcomes
        if outcome.scoring is not None
    }


def read_scoring(store: Store, pair: PairName, scoring: str) -> Scoring:
    """The figures of a pair under an id. Raises ShardError."""
    return Scoring.read(store, pair.metrics(scoring), "run the night again")


def read_evaluation(store: Store, pair: PairName, evaluation: str) -> Evaluation:
    """The record of an evaluation. Raises ShardError."""
    return Evaluation.read(store, pair.evaluation(evaluation), "run the evaluation again")


def find_scored(store: Store, reference: str) -> StoredScoring:
    """What ``DATASET/SPLIT/MODEL`` or ``DATASET/SPLIT/MODEL@ID`` names.

    The id is that of a night or of an evaluation; without one it is the newest night that has
    figures of the pair, or the pair's only evaluation. Quick looks are found by their id alone.

    Raises:
        InputError: not of that form, or nothing stored fits it.
        ShardError: a record is missing or unreadable.
    """
    wanted = reference.partition("@")[2]
    pair = pair_of(reference)
    if not wanted:
        return _newest(store, pair)
    if wanted in _evaluations(store, pair):
        return _of_evaluation(store, pair, wanted)
    if wanted in finished_nights(store):
        if (found := _of_night(store, pair, read_record(store, wanted))) is not None:
            return found
        raise InputError(f"night {wanted} has no figures of {pair}")
    raise InputError(f"{reference}: {wanted!r} is no stored night and no evaluation of {pair}")


def pair_of(reference: str) -> PairName:
    """The pair that a reference is to, whatever its ``@ID``. Raises InputError if it is none."""
    return parse_pair(reference.partition("@")[0])


def parse_pair(name: str) -> PairName:
    """The pair ``DATASET/SPLIT/MODEL``. Raises InputError if it is none."""
    try:
        dataset, split, model = name.split("/")
        return PairName(SplitName(dataset, split), model)
    except ValueError as error:
        raise InputError(f"{name!r} names no evaluation; {REFERENCE_FORM}") from error


def _newest(store: Store, pair: PairName) -> StoredScoring:
    for night in full_nights(store):
        if (found := _of_night(store, pair, night)) is not None:
            return found
    there = _evaluations(store, pair)
    evaluations = [name for name in there if read_evaluation(store, pair, name).quick is None]
    if len(evaluations) == 1:
        return _of_evaluation(store, pair, evaluations[0])
    if not evaluations:
        quick = f" but the quick looks @{', @'.join(there)}" if there else ""
        raise InputError(f"{store.locate('evaluations')} has no evaluation of {pair}{quick}")
    raise InputError(f"{pair} has several evaluations; add one of @{', @'.join(evaluations)}")


def _evaluations(store: Store, pair: PairName) -> list[str]:
    folder = pair.evaluation("x").rpartition("/")[0]
    return [name.removesuffix(".json") for name in store.names(folder) if name.endswith(".json")]


def _of_night(store: Store, pair: PairName, night: Night) -> StoredScoring | None:
    for outcome in night.outcomes:
        if outcome.pair.name == pair and outcome.scoring is not None:
            scoring = read_scoring(store, pair, outcome.scoring)
            return StoredScoring(read_evaluation(store, pair, scoring.evaluation), scoring)
    return None


def _of_evaluation(store: Store, pair: PairName, wanted: str) -> StoredScoring:
    """The evaluation with its figures under its dataset's own targets, of the newest revision."""
    evaluation = read_evaluation(store, pair, wanted)
    folder = pair.scoring("x").rpartition("/")[0]
    # A folder without its record was cut off while it was written, or while it was pruned.
    whole = [name for name in store.names(folder) if store.exists(pair.metrics(name))]
    scorings = [read_scoring(store, pair, name) for name in whole]
    fitting = [scoring for scoring in scorings if scoring.evaluation == wanted]
    if not fitting:
        raise InputError(f"{pair}: evaluation {wanted} has no figures; run the evaluation again")
    own = evaluation.targets_digest
    fitting.sort(key=lambda found: (found.targets_digest == own, found.metrics_revision, found.id))
    if fitting[-1].metrics_revision > METRICS_REVISION:
        raise InputError(f"{pair}: the figures of {wanted} are of a newer nightmark; upgrade it")
    return StoredScoring(evaluation, fitting[-1])


def prediction_tables(store: Store, evaluation: Evaluation) -> Iterator[pa.Table]:
    """The prediction rows of an evaluation, one table per shard, in order.

    Raises:
        ShardError: a file is missing or unreadable.
    """
    for path in evaluation.predictions:
        yield read_table_of(store, path, SCHEMA)


def score_tables(store: Store, evaluation: Evaluation) -> Iterator[pa.Table]:
    """The full probabilities (key, probabilities) of an evaluation, as ``prediction_tables``.

    Raises:
        ShardError: a file is missing (they were not kept) or unreadable.
    """
    predictions = evaluation.pair.name.predictions(evaluation.run)
    scores = evaluation.pair.name.scores(evaluation.run)
    for path in evaluation.predictions:
        kept = scores + path.removeprefix(predictions)
        yield read_table(store, kept, columns=SCORE_COLUMNS)


def has_scores(store: Store, evaluation: Evaluation) -> bool:
    """Whether full probabilities of every shard were kept."""
    there = set(store.names(evaluation.pair.name.scores(evaluation.run)))
    return all(path.rpartition("/")[2] in there for path in evaluation.predictions)


def slicings_of(
    store: Store, evaluation: Evaluation, classes: ClassList, spec: ScoringSpec
) -> tuple[Slicing, ...]:
    """The slices that are asked for, over the samples of an evaluation in the order of its rows.

    Raises:
        ShardError: samples.parquet, from which most slices are made, is missing or unreadable.
        InputError: a slice that its samples do not allow.
    """
    wanted = needed_columns(spec)
    samples = pa.table({})
    if wanted:
        path = f"{evaluation.shards_folder}/{SAMPLES_NAME}"
        samples = read_table(store, path, advice="build the shards again")
    return slice_samples(samples, spec, classes)
