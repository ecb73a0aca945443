"""All checks of one evaluation, in the order in which they are shown."""

from dataclasses import dataclass

from tasks.health.accuracy_paradox import accuracy_paradox
from tasks.health.class_imbalance import class_imbalance
from tasks.health.copies import FoundCopies
from tasks.health.duplicates import duplicates
from tasks.health.finding import Finding, SearchedSplit
from tasks.health.label_errors import label_errors
from tasks.health.leakage import leakage
from tasks.health.overfitting import overfitting
from tasks.health.permuted_classes import permuted_classes
from tasks.health.reading import StoredRows
from tasks.health.top5_ignored import top5_ignored
from tasks.metrics.scoring import Scoring

NO_TRAINING = "it is not known which images the model was trained on."
NAME_TRAINING = "Name the training dataset: `train` of the dataset in the plan."
SEARCH = "Run `nightmark leakage PLAN --dataset NAME`; it takes seconds for 10,000 images."


@dataclass(frozen=True, slots=True)
class Training:
    """The training images of a dataset, as far as they are at hand.

    Attributes:
        name: dataset/split.
        copies: what of the test images is among them; None if that could not be found out.
        scoring: the same version of the model on them; None if it was not evaluated there.
        fault: why there are no copies.
        searched: the version and the shards in which they were looked for.
    """

    name: str
    copies: FoundCopies | None = None
    scoring: Scoring | None = None
    fault: str = ""
    searched: SearchedSplit | None = None


def examine(
    rows: StoredRows, training: Training | None, within: FoundCopies | None
) -> tuple[Finding, ...]:
    """One finding per check; those that cannot run say why.

    Args:
        rows: the stored evaluation.
        training: of its dataset, or None where nobody named it.
        within: the copies within the split itself, if they were looked for.

    Raises:
        ShardError: predictions or scores are unreadable.
    """
    scoring = rows.stored.scoring
    return (
        permuted_classes(scoring),
        accuracy_paradox(scoring),
        class_imbalance(scoring),
        top5_ignored(scoring),
        _overfitting(scoring, training),
        _leakage(rows, training),
        _duplicates(within),
        _label_errors(rows),
    )


def _overfitting(scoring: Scoring, training: Training | None) -> Finding:
    if training is None:
        return Finding.not_checked("overfitting", NO_TRAINING, NAME_TRAINING)
    if training.scoring is None:
        model = scoring.pair.model
        return Finding.not_checked(
            "overfitting",
            f"this version of {model} was not evaluated on {training.name}.",
            f"Add it to `datasets` of {model} in the plan, or a sample of it that is cheaper.",
        )
    return overfitting(scoring, training.scoring)


def _leakage(rows: StoredRows, training: Training | None) -> Finding:
    if training is None:
        return Finding.not_checked("leakage", NO_TRAINING, NAME_TRAINING)
    if training.copies is None:
        return Finding.not_checked("leakage", training.fault, SEARCH)
    copied = set(training.copies.pairs["key"].to_pylist())
    return leakage(training.copies, training.name, rows.effect(copied), training.searched)


def _duplicates(within: FoundCopies | None) -> Finding:
    if within is None:
        return Finding.not_checked("duplicates", "nobody has looked for copies yet.", SEARCH)
    return duplicates(within)


def _label_errors(rows: StoredRows) -> Finding:
    if not rows.has_scores:
        return Finding.not_checked(
            "label_errors",
            "the probabilities of all classes were not kept.",
            "Set `runtime.keep_scores: true`; above 1,000 classes they are never kept.",
        )
    return label_errors(rows, rows.stored.scoring.classes, exact=rows.is_exact)
