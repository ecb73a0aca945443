"""Scores that were computed elsewhere → the same rows of predictions, per shard."""

import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from shards.errors import InputError
from shards.reader import Shard
from tasks.models.spec import Output
from tasks.predictions.ranking import check_output
from tasks.predictions.schema import Scored


@dataclass(frozen=True)
class ImportedScores:
    """Scores [n, classes] of the samples of one dataset, found by key."""

    file: Path
    scores: NDArray[np.floating]
    output: Output
    row_of_key: dict[str, int] = field(repr=False)

    def of_shard(self, shard: Shard) -> Scored:
        """The scores of a shard's samples, in its order. Raises InputError for a missing key."""
        keys = shard.rows["key"].to_pylist()
        if missing := [key for key in keys if key not in self.row_of_key]:
            raise InputError(
                f"{self.file} has no scores for {missing[0]} of {shard.entry.url} "
                f"({len(missing)} of {len(keys)} missing)"
            )
        rows = np.array([self.row_of_key[key] for key in keys], dtype=np.int64)
        return Scored(
            keys=keys,
            targets=shard.rows["target"].to_pylist(),
            scores=self.scores[rows],
            errors=[None] * len(keys),
            output=self.output,
        )


def read_imported(
    file: Path, targets: Path | None, output: Output, samples: pa.Table, classes: int
) -> ImportedScores:
    """The scores in an npy file (the dataset's order) or a Parquet file (columns key and scores).

    Raises:
        InputError: unreadable; not one row of ``classes`` scores per sample; not what ``output``
            declares; or made for other targets than the dataset's.
    """
    keys = samples["key"].to_pylist()
    if file.suffix == ".npy":
        scores, row_keys = _read_npy(file), keys
    else:
        scores, row_keys = _read_parquet(file)
    if scores.ndim != 2 or scores.shape[1] != classes or len(scores) != len(row_keys):
        raise InputError(
            f"{file}: scores are {list(scores.shape)}; [{len(keys)}, {classes}] is needed"
        )
    if fault := check_output(scores, output):
        raise InputError(f"{file}: {fault}; correct `output`")
    if targets is not None:
        _compare_targets(targets, samples)
    row_of_key = {key: row for row, key in enumerate(row_keys)}
    if len(row_of_key) != len(row_keys):
        raise InputError(f"{file}: a key stands in several rows")
    return ImportedScores(file, scores, output, row_of_key)


def _read_npy(file: Path) -> NDArray[np.floating]:
    try:
        loaded = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{file} is not readable as an npy array ({error})") from error
    if not isinstance(loaded, np.ndarray):
        raise InputError(f"{file} holds several arrays; one is needed")
    if not np.issubdtype(loaded.dtype, np.number) or np.iscomplexobj(loaded):
        raise InputError(f"{file} holds {loaded.dtype}, not numbers")
    return loaded


def _read_parquet(file: Path) -> tuple[NDArray[np.floating], list[str]]:
    try:
        table = pq.read_table(file, columns=["key", "scores"])
        scores = np.array(table["scores"].to_pylist(), dtype=np.float64)
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise InputError(
            f"{file} is not readable as Parquet with key and equally long scores ({error})"
        ) from error
    return scores, table["key"].to_pylist()


def _compare_targets(file: Path, samples: pa.Table) -> None:
    theirs = _read_npy(file)
    # Arrays say -1 where there is no label.
    ours = samples["target"].fill_null(-1).to_pylist()
    if theirs.shape != (len(ours),):
        raise InputError(f"{file} has {list(theirs.shape)} targets for {len(ours)} samples")
    different = [row for row, target in enumerate(ours) if target != int(theirs[row])]
    if different:
        row = different[0]
        raise InputError(
            f"{file}: {len(different)} of {len(ours)} targets are not the dataset's; the first is "
            f"{samples['key'][row].as_py()}: {int(theirs[row])}, not {ours[row]}. "
            f"Are the scores in the dataset's order?"
        )
