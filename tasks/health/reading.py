"""Stored predictions of an evaluation as the checks need them, under a scoring's targets."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shards.store import Store
from tasks.health.label_errors import LabelledScores
from tasks.health.leakage import Effect
from tasks.predictions.ranking import FULL_PRECISION_CLASSES
from tasks.stored import StoredScoring, has_scores
from tasks.targets.rows import rows_under_targets, rows_with_scores, stored_overlay


@dataclass(frozen=True)
class StoredRows:
    """The labelled, predicted samples of a stored scoring; may be gone through several times."""

    store: Store = field(repr=False)
    stored: StoredScoring

    @property
    def has_scores(self) -> bool:
        return has_scores(self.store, self.stored.evaluation)

    @property
    def is_exact(self) -> bool:
        """Whether scores are kept as float32."""
        return len(self.stored.scoring.classes) <= FULL_PRECISION_CLASSES

    def __iter__(self) -> Iterator[LabelledScores]:
        """Labels with their full probabilities, shard by shard. Raises ShardError."""
        overlay = stored_overlay(self.store, self.stored.scoring)
        for rows, kept in rows_with_scores(self.store, self.stored.evaluation, overlay):
            counted = _is_counted(rows)
            columns = pc.list_flatten(kept["probabilities"].filter(counted))
            targets = rows["target"].filter(counted).to_numpy().astype(np.int64)
            width = len(columns) // len(targets) if len(targets) else 0
            yield LabelledScores(
                rows["key"].filter(counted).to_pylist(),
                targets,
                columns.to_numpy().reshape(len(targets), width),
            )

    def effect(self, copied: set[str]) -> Effect:
        """How many of the copies, and of all others, are right. Raises ShardError."""
        right: set[str] = set()
        predicted: set[str] = set()
        for rows in self._tables():
            predicted.update(rows["key"].filter(_is_counted(rows)).to_pylist())
            right.update(rows["key"].filter(pc.equal(rows["target_rank"], 0)).to_pylist())
        return Effect.of(right, predicted, copied)

    def _tables(self) -> Iterator[pa.Table]:
        overlay = stored_overlay(self.store, self.stored.scoring)
        return rows_under_targets(self.store, self.stored.evaluation, overlay)


def _is_counted(rows: pa.Table) -> pa.ChunkedArray:
    return pc.and_(pc.is_valid(rows["target"]), pc.is_null(rows["error"]))
