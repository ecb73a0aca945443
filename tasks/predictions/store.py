"""Predictions at rest: one Parquet file per shard, named by the shard's digest, whole or absent."""

import io
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from shards.errors import ShardError
from shards.reader import Shard
from shards.store import Store
from tasks.layout import PairName, shard_file
from tasks.predictions.schema import SCHEMA, SCORE_COLUMNS
from tasks.tables import read_table

REPEATED = ("target", "topk.list.element", "target_rank", "error")
PROBABILITIES = ("topk_prob.list.element", "target_prob", "nll", "sum_sq_prob")
"""Hardly two are alike: a dictionary makes the file a fifth larger, and zstd takes longer to undo
than reading what it saves."""

MAGIC = b"PAR1"
"""How a whole Parquet file ends."""


@dataclass(frozen=True)
class PredictionStore:
    """The predictions of one model version under given numerics (``run``), on one split."""

    store: Store = field(repr=False)
    pair: PairName
    run: str
    keep_scores: bool

    def path(self, shard: Shard) -> str:
        return f"{self.pair.predictions(self.run)}/{shard_file(shard.entry.sha256)}"

    def scores_path(self, shard: Shard) -> str:
        return f"{self.pair.scores(self.run)}/{shard_file(shard.entry.sha256)}"

    def missing(self, shards: Sequence[Shard]) -> list[Shard]:
        """The shards whose predictions (or wanted scores) are not there, or are cut short."""
        there = self._there()
        return [s for s in shards if _name(s) not in there or not self._is_whole(s)]

    def cut_short(self, shards: Sequence[Shard]) -> list[Shard]:
        """Those of the missing ones that are there by name."""
        there = self._there()
        return [s for s in shards if _name(s) in there and not self._is_whole(s)]

    def unreadable(self, shards: Sequence[Shard]) -> list[Shard]:
        """The shards of which predictions or scores are there, but damaged or of other samples.

        Reads every byte of them.
        """
        return [shard for shard in shards if not self._is_readable(shard)]

    def discard(self, shard: Shard) -> None:
        """Remove what is there of a shard: it is missing now."""
        for path in (self.path(shard), self.scores_path(shard)):
            with suppress(FileNotFoundError):
                self.store.remove(path)

    def _is_readable(self, shard: Shard) -> bool:
        try:
            self.read(shard)
            if self.store.exists(self.scores_path(shard)):
                scores = read_table(self.store, self.scores_path(shard), columns=SCORE_COLUMNS)
                return bool(scores["key"].equals(shard.rows["key"]))
        except ShardError:
            return not self.store.exists(self.path(shard))
        return True

    def _there(self) -> set[str]:
        there = set(self.store.names(self.pair.predictions(self.run)))
        if self.keep_scores:
            there &= set(self.store.names(self.pair.scores(self.run)))
        return there

    def _is_whole(self, shard: Shard) -> bool:
        """Whether the files end as Parquet does: a few bytes of each, not the whole of them.

        Only asked of local disks, which may lose the end of a file when they fail; an object store
        has an upload whole or not at all.
        """
        if not self.store.is_local:
            return True
        paths = [self.path(shard), *([self.scores_path(shard)] if self.keep_scores else [])]
        try:
            return all(self.store.tail(path, len(MAGIC)) == MAGIC for path in paths)
        except FileNotFoundError:
            return False

    def write(self, shard: Shard, predictions: pa.Table, scores: pa.Table | None) -> None:
        """Publish the predictions of a shard; its scores first, so that a whole one has both.

        Raises:
            ValueError: the rows are not those of the shard.
        """
        if predictions["key"].to_pylist() != shard.rows["key"].to_pylist():
            raise ValueError(f"the predictions are not those of {shard.entry.url}")
        if self.keep_scores and scores is not None:
            self.store.publish(
                self.scores_path(shard),
                _parquet(scores, compression="zstd", write_page_checksum=True),
            )
        rows = predictions.cast(SCHEMA.with_metadata(predictions.schema.metadata))
        self.store.publish(self.path(shard), prediction_bytes(rows))

    def read(self, shard: Shard, columns: Sequence[str] = SCHEMA.names) -> pa.Table:
        """The predictions of a shard: its key and these columns.

        Raises:
            ShardError: missing, not readable, or not of this shard.
        """
        path = self.path(shard)
        where = self.store.locate(path)
        try:
            file = self.store.read(path)
        except FileNotFoundError as error:
            raise ShardError(
                f"predictions {where} are missing; run the evaluation again"
            ) from error
        try:
            table = rows_of(file, tuple(dict.fromkeys(("key", *columns))))
        except (pa.ArrowException, OSError, ValueError) as error:
            raise ShardError(
                f"predictions {where} are not readable ({error}); "
                f"run the evaluation again, which computes them anew"
            ) from error
        if table is None or not table["key"].equals(shard.rows["key"]):
            raise ShardError(
                f"predictions {where} do not fit shard {shard.entry.url}; "
                f"remove the file and run the evaluation again"
            )
        return table


def _name(shard: Shard) -> str:
    return shard_file(shard.entry.sha256)


def rows_of(file: bytes, columns: Sequence[str]) -> pa.Table | None:
    """These columns of a file of predictions; None where it has another schema.

    Raises:
        OSError: the file is broken, or was altered since (its pages have checksums).
    """
    opened = pq.ParquetFile(pa.BufferReader(file), page_checksum_verification=True)
    if not opened.schema_arrow.equals(SCHEMA):
        return None
    # Columns of one shard are small: to hand them to threads costs more than to read them.
    return opened.read(list(columns), use_threads=False)


def prediction_bytes(rows: pa.Table) -> bytes:
    """Rows of ``SCHEMA`` as the Parquet file that they are kept in."""
    compression = {"key": "zstd", "index": "zstd"}
    compression |= dict.fromkeys(REPEATED, "zstd") | dict.fromkeys(PROBABILITIES, "none")
    return _parquet(
        rows, compression=compression, use_dictionary=list(REPEATED), write_page_checksum=True
    )


def _parquet(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()
