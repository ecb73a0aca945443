"""Tallies at rest: one long table of all that is not 0, and the sums beside it as metadata."""

import json
from dataclasses import asdict

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks.metrics.calibration import FINE, WIDE, Bins, Calibration
from tasks.metrics.confusion import ConfusionMatrix
from tasks.metrics.tallies import Sum, Tallies

METADATA = b"nightmark.tallies"
FORMAT = 2
KINDS = ("confusion", "rank", "wide", "fine")
SCHEMA = pa.schema(
    [
        pa.field("tally", pa.string(), nullable=False),
        pa.field("row", pa.int32(), nullable=False),
        pa.field("column", pa.int32()),
        pa.field("count", pa.int64(), nullable=False),
        pa.field("hits", pa.int64()),
        pa.field("confidence", pa.int64()),
    ]
)
"""``tally`` says of what: ``confusion`` (row = target, column = prediction), ``rank`` (row = the
target's rank), ``wide`` and ``fine`` (row = bin of confidence, with hits and the sum of confidences
in units of 2^-32)."""


def tallies_table(tallies: Tallies) -> pa.Table:
    """The rows of ``SCHEMA``; equal tallies give equal bytes."""
    matrix = tallies.confusion.counts
    targets, predictions = np.nonzero(matrix)
    ranks = np.flatnonzero(tallies.ranks)
    parts = [
        _rows("confusion", targets, matrix[targets, predictions], column=predictions),
        _rows("rank", ranks, tallies.ranks[ranks]),
        _bin_rows("wide", tallies.calibration.wide),
        _bin_rows("fine", tallies.calibration.fine),
    ]
    facts = {
        "format": FORMAT,
        "classes": tallies.confusion.classes,
        "nll": asdict(tallies.nll),
        "brier": asdict(tallies.brier),
        "unlabelled": tallies.unlabelled,
        "failed": tallies.failed,
        "unscored": tallies.unscored,
    }
    table = pa.concat_tables(parts).combine_chunks()
    return table.replace_schema_metadata({METADATA: json.dumps(facts).encode()})


def tallies_of_table(table: pa.Table) -> Tallies:
    """The tallies that ``tallies_table`` wrote. Raises KeyError if this version did not."""
    facts = json.loads((table.schema.metadata or {})[METADATA])
    if facts.get("format") != FORMAT:
        raise KeyError(f"tallies of format {facts.get('format', 1)}, not {FORMAT}")
    classes = facts["classes"]
    kinds = table["tally"].to_numpy()
    parts = {kind: table.filter(pa.array(kinds == kind)) for kind in KINDS}
    counts = np.zeros((classes, classes), dtype=np.int64)
    cells = parts["confusion"]
    counts[cells["row"].to_numpy(), cells["column"].to_numpy()] = cells["count"].to_numpy()
    ranks = np.zeros(classes, dtype=np.int64)
    ranks[parts["rank"]["row"].to_numpy()] = parts["rank"]["count"].to_numpy()
    return Tallies(
        confusion=ConfusionMatrix(counts),
        ranks=ranks,
        nll=Sum(**facts["nll"]),
        brier=Sum(**facts["brier"]),
        calibration=Calibration(_bins(parts["wide"], WIDE), _bins(parts["fine"], FINE)),
        unlabelled=facts["unlabelled"],
        failed=facts["failed"],
        unscored=facts["unscored"],
    )


def _rows(
    kind: str, rows: NDArray[np.int64], counts: NDArray[np.int64], **more: NDArray[np.int64]
) -> pa.Table:
    columns = {"tally": pa.repeat(kind, len(rows)), "row": rows, "count": counts, **more}
    nothing = {field.name: pa.nulls(len(rows), field.type) for field in SCHEMA}
    return pa.table({**nothing, **columns}, schema=SCHEMA)


def _bin_rows(kind: str, bins: Bins) -> pa.Table:
    held = np.flatnonzero(bins.counts)
    return _rows(
        kind, held, bins.counts[held], hits=bins.hits[held], confidence=bins.confidence[held]
    )


def _bins(rows: pa.Table, bins: int) -> Bins:
    found = Bins.empty(bins)
    index = rows["row"].to_numpy()
    found.counts[index] = rows["count"].to_numpy()
    found.hits[index] = rows["hits"].to_numpy()
    found.confidence[index] = rows["confidence"].to_numpy()
    return found
