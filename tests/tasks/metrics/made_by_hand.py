"""Predictions, tallies and scorings made by hand, without a model or a shard."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from hypothesis import settings
from numpy.typing import NDArray

from shards.sample import ClassList
from tasks.metrics.calibration import Calibration
from tasks.metrics.confusion import ConfusionMatrix
from tasks.metrics.scoring import Scoring, compose_scoring
from tasks.metrics.tallies import Sum, Tallies
from tasks.models.spec import Numerics, Output
from tasks.predictions.evaluation import Evaluation
from tasks.predictions.schema import Scored, prediction_rows
from tasks.records import Pair

unhurried = settings(deadline=None, max_examples=60)
"""For properties: a busy machine is no failure."""
few = settings(deadline=None, max_examples=20)
"""For those that take a tenth of a second each."""

EVALUATION = Evaluation(
    id="e0123456789abcdef",
    pair=Pair(dataset="animals", split="test", model="net"),
    dataset_version="d" * 64,
    images_digest="1" * 64,
    targets_digest="2" * 64,
    shards_folder="shards/animals/test/x",
    model_fingerprint="f" * 64,
    model_loader="module:nets:net",
    preprocessing="as is",
    numerics=Numerics(precision="float32", decoder="pil", device_type="cpu"),
    run="r0123456789abcdef",
    predictions=("a.parquet", "b.parquet"),
)


def rows_of(
    scores: NDArray[np.floating],
    targets: Sequence[int | None],
    output: Output = "probabilities",
    errors: Sequence[str | None] | None = None,
) -> pa.Table:
    """Rows of predictions for scores [n, classes]."""
    return prediction_rows(
        Scored(
            keys=[f"k{i}" for i in range(len(targets))],
            targets=targets,
            scores=scores.astype(np.float32),
            errors=[None] * len(targets) if errors is None else errors,
            output=output,
        )
    )


def favouring(predicted: Sequence[int], classes: int) -> NDArray[np.float64]:
    """Probabilities [n, classes] that favour the given classes, and all others alike."""
    scores = np.full((len(predicted), classes), 0.5 / classes)
    scores[np.arange(len(predicted)), list(predicted)] += 0.5
    return scores


def tallies_of(counts: NDArray[np.integer]) -> Tallies:
    """Tallies of a confusion matrix; a target that is not first is second, and losses are 0.

    Every prediction is made with a confidence of 3/4.
    """
    matrix = ConfusionMatrix(np.asarray(counts, dtype=np.int64))
    hits = int(matrix.hits.sum())
    ranks = np.zeros(matrix.classes, dtype=np.int64)
    ranks[:2] = hits, matrix.n - hits
    sure = np.full(matrix.n, 0.75, dtype=np.float32)
    calibration = Calibration.of(sure, np.arange(matrix.n) < hits)
    return Tallies(matrix, ranks, Sum(), Sum(), calibration, unlabelled=0, failed=0)


def scoring_of(tallies: Tallies, classes: ClassList | None = None) -> Scoring:
    """The scoring of tallies; classes are called c0, c1, … unless given."""
    names = tuple(f"c{i}" for i in range(tallies.confusion.classes))
    return compose_scoring(EVALUATION, classes or ClassList.of_names(names), tallies)
