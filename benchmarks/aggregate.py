"""Aggregation against peers, and its memory: ratios of medians from one run, on this machine.

    python benchmarks/aggregate.py [--rows 2_000_000] [--rounds 5] [--scale 50_000_000]

Made predictions of 1,000 classes, about 80 % right, in hive-partitioned Parquet files of
``PER_FILE`` rows as nightmark writes them. Peers:

* DuckDB, 2 threads: the confusion matrix and top-5 in SQL over the same files, once in two plain
  queries and once in a single scan. Ours from reading the files on, with their checksums: all
  tallies (those two, every rank, losses, calibration: twice the columns), the same as ``nightmark
  run`` does it, with the keys held against those of the shard, and a loop that makes those two
  alone. Beside the time on the clock stands that of the processor, which other work moves less.
* scikit-learn: ``classification_report``, ``confusion_matrix`` and ``top_k_accuracy_score``, on
  ``SKLEARN_ROWS`` rows in memory. Ours makes the same figures from the predictions in memory, once
  as tallies alone and once with every class figure and its interval. (Ranks are part of the
  predictions; scikit-learn has to rank the scores, which it is given ready in memory.)

``--scale`` reads the same files again and again, in a process of its own, until so many rows are
tallied, and prints how much memory that took at its peak; 0 leaves it out.
"""

import argparse
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.metrics import classification_report, confusion_matrix, top_k_accuracy_score

from tasks.metrics.confusion import ConfusionMatrix
from tasks.metrics.summary import class_metrics
from tasks.metrics.tallies import TALLIED, Tallies, ahead, batched, tally
from tasks.predictions.columns import first_of, marked, numbers
from tasks.predictions.ranking import TOP_K
from tasks.predictions.schema import OUTPUTS, SCHEMA
from tasks.predictions.store import prediction_bytes, rows_of

CLASSES = 1_000
PER_FILE = 100_000
SKLEARN_ROWS = 20_000
KEYS = pa.chunked_array([[f"ILSVRC2012_val_{row:08d}" for row in range(PER_FILE)]], pa.string())
MATRIX_SQL = """
SELECT target, topk[1] AS prediction, count(*) AS n, {more}
FROM read_parquet('{files}', hive_partitioning = true)
WHERE target IS NOT NULL AND error IS NULL GROUP BY ALL;
"""
TOP_SQL = """
SELECT count(*) FILTER (list_contains(topk, target))
FROM read_parquet('{files}', hive_partitioning = true) WHERE target IS NOT NULL AND error IS NULL;
"""
IN_ONE = "count(*) FILTER (target_rank < 5) AS top5"


def made(rows: int, seed: int) -> pa.Table:
    """Rows of the predictions' schema, from random numbers alone."""
    generator = np.random.default_rng(seed)
    targets = generator.integers(0, CLASSES, rows).astype(np.int32)
    first = np.where(generator.random(rows) < 0.8, targets, generator.integers(0, CLASSES, rows))
    steps = generator.integers(1, CLASSES // TOP_K, (rows, TOP_K - 1)).cumsum(axis=1)
    topk = np.column_stack([first, (first[:, None] + steps) % CLASSES]).astype(np.int32)
    places = topk == targets[:, None]
    among = places.any(axis=1)
    beyond = generator.integers(TOP_K, CLASSES, rows)
    rank = np.where(among, places.argmax(axis=1), beyond).astype(np.int32)
    sure = generator.beta(5, 1, rows)
    shares = np.column_stack([sure, (1 - sure)[:, None] * [0.4, 0.2, 0.1, 0.05]])
    probs = shares.astype(np.float32)
    chance = np.where(among, probs[np.arange(rows), places.argmax(axis=1)], 1e-4)
    offsets = pa.array(np.arange(0, rows * TOP_K + 1, TOP_K, dtype=np.int32))
    columns = {
        "key": KEYS.slice(0, rows),
        "index": np.arange(rows, dtype=np.int32),
        "target": targets,
        "topk": pa.ListArray.from_arrays(offsets, pa.array(topk.ravel())),
        "topk_prob": pa.ListArray.from_arrays(offsets, pa.array(probs.ravel())),
        "target_prob": chance.astype(np.float32),
        "target_rank": rank,
        "nll": -np.log(chance).astype(np.float32),
        "sum_sq_prob": (probs**2).sum(axis=1),
        "error": pa.nulls(rows, pa.string()),
    }
    metadata = {OUTPUTS: str(CLASSES)}
    return pa.table(columns, schema=SCHEMA.with_metadata(metadata))


def tables(files: list[Path], *, keyed: bool) -> Iterator[pa.Table]:
    """As ``PredictionStore.read`` reads them, or without their keys."""
    for file in files:
        table = rows_of(file.read_bytes(), ("key", *TALLIED) if keyed else TALLIED)
        if table is None or (keyed and not table["key"].equals(KEYS)):
            raise ValueError(f"{file} does not hold the rows of its shard")
        yield table.select(TALLIED)


def ours(files: list[Path], *, keyed: bool = False) -> Tallies:
    return tally(tables(files, keyed=keyed), CLASSES)


def ours_alone(files: list[Path]) -> tuple[int, int]:
    """The confusion matrix and top-5, and nothing else."""
    columns = ["target", "topk", "target_rank", "error"]
    read = (pq.ParquetFile(file).read(columns) for file in files)
    matrix = ConfusionMatrix(np.zeros((CLASSES, CLASSES), dtype=np.int64))
    top5 = 0
    for part in ahead(batched(read)):
        kept = marked(part["target"]) & ~marked(part["error"])
        targets, first = numbers(part["target"], kept, -1), first_of(part["topk"], kept)
        matrix = matrix + ConfusionMatrix.of(targets, first, CLASSES)
        top5 += int((numbers(part["target_rank"], kept, CLASSES) < TOP_K).sum())
    return int(matrix.hits.sum()), top5


def of_duckdb(pattern: str, *, scans: int) -> tuple[int, int]:
    with duckdb.connect(config={"threads": 2}) as connection:
        sql = MATRIX_SQL.format(files=pattern, more=IN_ONE if scans == 1 else "0 AS top5")
        cells = connection.execute(sql).fetchnumpy()
        top5 = int(cells["top5"].sum())
        if scans == 2:
            ((top5,),) = connection.execute(TOP_SQL.format(files=pattern)).fetchall()
    matrix = np.zeros((CLASSES, CLASSES), dtype=np.int64)
    matrix[cells["target"], cells["prediction"]] = cells["n"]
    return int(matrix.trace()), top5


def of_sklearn(targets: np.ndarray, predicted: np.ndarray, scores: np.ndarray) -> None:
    classification_report(targets, predicted, labels=range(CLASSES), zero_division=0)
    confusion_matrix(targets, predicted, labels=range(CLASSES))
    top_k_accuracy_score(targets, scores, k=5, labels=range(CLASSES))


def medians(works: dict[str, Callable[[], object]], rounds: int) -> dict[str, tuple[float, float]]:
    """Seconds on the clock and of the processor, in interleaved rounds after one to warm up."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for turn in range(rounds + 1):
        for name, work in works.items():
            started, used = time.perf_counter(), time.process_time()
            work()
            if turn:
                found[name].append((time.perf_counter() - started, time.process_time() - used))
    return {
        name: (statistics.median(clock for clock, _ in took), statistics.median(c for _, c in took))
        for name, took in found.items()
    }


def peak_memory() -> float:
    """MiB; of this process alone, while getrusage starts from what its parent had."""
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def scale(files: list[Path], rows: int) -> None:
    """Peak memory of tallying so many rows; runs in a process of its own."""
    base = peak_memory()
    started = time.perf_counter()
    found = ours(list(islice(cycle(files), rows // PER_FILE)))
    seconds = time.perf_counter() - started
    peak = peak_memory()
    print(f"{found.n:,} rows in {seconds:.0f} s, {found.n / seconds:,.0f} rows/s")
    print(f"peak memory {peak:,.0f} MiB, of which {base:,.0f} MiB before the first row")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=int, default=50_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        partition = Path(folder) / "dataset=made/split=test/model=made/run=r0"
        partition.mkdir(parents=True)
        files = []
        for number in range(options.rows // PER_FILE):
            files.append(partition / f"{number:04d}.parquet")
            files[-1].write_bytes(prediction_bytes(made(PER_FILE, number)))
        pattern = f"{folder}/**/*.parquet"
        tallies = ours(files)
        figures = (tallies.top(1), tallies.top(5))
        assert figures == of_duckdb(pattern, scans=1) == of_duckdb(pattern, scans=2)
        assert figures == ours_alone(files)
        works = {
            "all tallies": lambda: ours(files),
            "all tallies, keys checked": lambda: ours(files, keyed=True),
            "matrix and top-5": lambda: ours_alone(files),
            "DuckDB, two queries": lambda: of_duckdb(pattern, scans=2),
            "DuckDB, one scan": lambda: of_duckdb(pattern, scans=1),
        }
        for name, (clock, processor) in medians(works, options.rounds).items():
            print(f"{name}: {clock:.2f} s, of the processor {processor:.3f} s")
        against_sklearn(options.rounds)
        if options.scale:
            context = multiprocessing.get_context("spawn")
            process = context.Process(target=scale, args=(files, options.scale))
            process.start()
            process.join()


def against_sklearn(rounds: int) -> None:
    generator = np.random.default_rng(0)
    table = made(SKLEARN_ROWS, 0)
    targets = table["target"].to_numpy()
    predicted = table["topk"].combine_chunks().values.to_numpy()[::TOP_K]
    scores = generator.random((SKLEARN_ROWS, CLASSES)).astype(np.float32)
    works = {
        "tallies": lambda: Tallies.of(table, CLASSES),
        "tallies and class figures with intervals": lambda: class_metrics(
            Tallies.of(table, CLASSES)
        ),
        "scikit-learn": lambda: of_sklearn(targets, predicted, scores),
    }
    found = medians(works, rounds)
    peer = found["scikit-learn"][0]
    for name, (clock, _) in found.items():
        print(f"{name}: {clock:.4f} s, scikit-learn / it = {peer / clock:.0f}")


if __name__ == "__main__":
    main()
