"""Two sides of a comparison, from made scores."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from shards.sample import ClassList
from tasks.metrics.aligned import MatchedBy, align
from tasks.metrics.compare import Measured, compare
from tasks.metrics.comparison import Comparison, Side
from tasks.predictions.schema import Scored, prediction_rows
from tasks.records import Pair
from tests.support.stored import logits

CLASSES = 5
Targets = Sequence[int | None]


def measured(
    name: str,
    scores: np.ndarray,
    targets: Targets,
    keys: Sequence[str] | None = None,
    errors: Sequence[str | None] | None = None,
) -> Measured:
    side = Side(
        pair=Pair(dataset="d", split="s", model=name),
        evaluation=f"e{name}",
        scoring=f"s{name}",
        model_fingerprint=name,
        dataset_version="v",
    )
    keys = keys or [f"{row:04d}" for row in range(len(targets))]
    errors = errors or [None] * len(targets)
    return Measured(side, prediction_rows(Scored(keys, targets, scores, errors, "logits")))


def compared(
    baseline: Measured, candidate: Measured, matched_by: MatchedBy = "images"
) -> tuple[Comparison, pa.Table]:
    names = tuple(f"c{index}" for index in range(CLASSES))
    rows = align(baseline.rows, candidate.rows)
    return compare(baseline, candidate, rows, ClassList.of_names(names), matched_by)


def two(n: int = 400, seed: int = 3) -> tuple[Measured, Measured, np.ndarray]:
    targets = np.random.default_rng(seed).integers(0, CLASSES, n)
    first = logits(targets, CLASSES, skill=1.2, seed=seed)
    second = first + 0.7 * logits(targets, CLASSES, skill=0.4, seed=seed + 1)
    kept = targets.tolist()
    return measured("old", first, kept), measured("new", second, kept), targets


def predicted(side: Measured) -> np.ndarray:
    return np.array([best[0] for best in side.rows["topk"].to_pylist()])


def certain(said: Sequence[int], height: Sequence[float]) -> np.ndarray:
    """Logits that say a class each; the higher, the surer."""
    scores = np.zeros((len(said), CLASSES), dtype=np.float32)
    scores[np.arange(len(said)), list(said)] = height
    return scores
