import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shards.errors import InputError
from shards.reader import ShardedSplit
from shards.store import Store
from tasks.models.spec import Output
from tasks.predictions.imported import ImportedScores, read_imported
from tasks.predictions.schema import prediction_rows
from tests.shards.made import FOLDER, build, made_source
from tests.support.shared_data import SHARED, needs_shared

CLASSES = 3


@pytest.fixture
def split(tmp_path: Path) -> ShardedSplit:
    store = Store.at(tmp_path / "artifacts")
    build(made_source(), store)
    return ShardedSplit.open(store, FOLDER)


def logits(split: ShardedSplit) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(split.samples.num_rows, CLASSES))


def npy(folder: Path, content: Any, name: str = "scores.npy") -> Path:
    np.save(folder / name, content)
    return folder / name


def parquet(folder: Path, keys: list[str], scores: Any) -> Path:
    pq.write_table(pa.table({"key": keys, "scores": scores}), folder / "scores.parquet")
    return folder / "scores.parquet"


def told(
    file: Path,
    split: ShardedSplit,
    targets: Path | None = None,
    output: Output = "logits",
    classes: int = CLASSES,
) -> str:
    with pytest.raises(InputError) as refused:
        read_imported(file, targets, output, split.samples, classes)
    return str(refused.value)


def rows(imported: ImportedScores, split: ShardedSplit) -> pa.Table:
    return pa.concat_tables(prediction_rows(imported.of_shard(shard)) for shard in split.shards())


def test_npy_and_parquet_in_any_order_are_equal(split: ShardedSplit, tmp_path: Path) -> None:
    scores = logits(split)
    keys = split.samples["key"].to_pylist()
    order = np.random.default_rng(1).permutation(len(keys))
    shuffled = parquet(tmp_path, [keys[i] for i in order], [scores[i].tolist() for i in order])
    one = read_imported(npy(tmp_path, scores), None, "logits", split.samples, CLASSES)
    other = read_imported(shuffled, None, "logits", split.samples, CLASSES)
    assert rows(one, split).equals(rows(other, split))
    assert rows(one, split)["key"].to_pylist() == keys
    assert rows(one, split)["target"].to_pylist() == split.samples["target"].to_pylist()


def test_scores_of_many_classes_in_double_precision(split: ShardedSplit, tmp_path: Path) -> None:
    scores = np.random.default_rng(2).normal(size=(split.samples.num_rows, 120))
    found = read_imported(npy(tmp_path, scores), None, "logits", split.samples, 120)
    expected = np.argsort(-scores, axis=1)[:, :5]
    assert rows(found, split)["topk"].to_pylist() == expected.tolist()


def test_more_keys_than_the_dataset_has_do_no_harm(split: ShardedSplit, tmp_path: Path) -> None:
    scores = logits(split)
    keys = split.samples["key"].to_pylist()
    file = parquet(tmp_path, ["foreign", *keys], [[0.0] * 3, *scores.tolist()])
    imported = read_imported(file, None, "logits", split.samples, CLASSES)
    plain = read_imported(npy(tmp_path, scores), None, "logits", split.samples, CLASSES)
    assert rows(imported, split).equals(rows(plain, split))


@pytest.mark.parametrize(
    "shape", [(9, 3), (10, 4), (10,), (11, 3), (3, 10), (10, 3, 1), ()], ids=str
)
def test_wrong_shapes(split: ShardedSplit, tmp_path: Path, shape: tuple[int, ...]) -> None:
    file = npy(tmp_path, np.zeros(shape))
    assert told(file, split) == f"{file}: scores are {list(shape)}; [10, 3] is needed"


def test_a_missing_key(split: ShardedSplit, tmp_path: Path) -> None:
    keys = split.samples["key"].to_pylist()
    file = parquet(tmp_path, keys[:4] + keys[5:], np.delete(logits(split), 4, axis=0).tolist())
    imported = read_imported(file, None, "logits", split.samples, CLASSES)
    shards = split.shards()
    broken = next(shard for shard in shards if keys[4] in shard.rows["key"].to_pylist())
    with pytest.raises(InputError) as refused:
        imported.of_shard(broken)
    n = broken.rows.num_rows
    assert str(refused.value) == (
        f"{file} has no scores for {keys[4]} of {broken.entry.url} (1 of {n} missing)"
    )
    assert len(imported.of_shard(shards[0]).keys) == shards[0].rows.num_rows


def test_a_repeated_key(split: ShardedSplit, tmp_path: Path) -> None:
    keys = split.samples["key"].to_pylist()
    file = parquet(tmp_path, [keys[0], *keys], [[0.0] * 3, *logits(split).tolist()])
    assert told(file, split) == f"{file}: a key stands in several rows"


@pytest.mark.parametrize("output", ["probabilities", "log_probabilities"])
def test_a_wrong_declared_output(split: ShardedSplit, tmp_path: Path, output: Output) -> None:
    file = npy(tmp_path, logits(split))
    message = told(file, split, output=output)
    assert message.startswith(f"{file}: declared {output}, but")
    assert message.endswith("; correct `output`")


def test_probabilities_declared_as_logits(split: ShardedSplit, tmp_path: Path) -> None:
    exponentials = np.exp(logits(split))
    file = npy(tmp_path, exponentials / exponentials.sum(axis=1, keepdims=True))
    assert "declared logits, but its outputs are probabilities" in told(file, split)
    read_imported(file, None, "probabilities", split.samples, CLASSES)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_scores_that_are_no_numbers(split: ShardedSplit, tmp_path: Path, value: float) -> None:
    scores = logits(split)
    scores[7, 1] = value
    assert "NaN or infinity" in told(npy(tmp_path, scores), split)


def targets_of(split: ShardedSplit) -> np.ndarray:
    return np.array([-1 if t is None else t for t in split.samples["target"].to_pylist()])


def test_targets_name_the_first_key_that_differs(split: ShardedSplit, tmp_path: Path) -> None:
    scores = npy(tmp_path, logits(split))
    theirs = targets_of(split)
    labelled = [row for row, target in enumerate(theirs) if target >= 0]
    keys = split.samples["key"].to_pylist()
    ours = int(theirs[labelled[3]])
    theirs[labelled[3]] = theirs[labelled[5]] = 9
    file = npy(tmp_path, theirs, "targets.npy")
    message = told(scores, split, file)
    assert f"the first is {keys[labelled[3]]}: 9, not {ours}." in message
    assert message.startswith(f"{file}: 2 of 10 targets are not the dataset's")


def test_equal_targets_and_an_unlabelled_sample(split: ShardedSplit, tmp_path: Path) -> None:
    # -1 is how arrays say that there is no label (Hugging Face, timm).
    targets = npy(tmp_path, targets_of(split), "targets.npy")
    assert split.samples["target"].null_count == 1
    read_imported(npy(tmp_path, logits(split)), targets, "logits", split.samples, CLASSES)


def test_targets_of_another_length(split: ShardedSplit, tmp_path: Path) -> None:
    file = npy(tmp_path, np.zeros(9, dtype=int), "targets.npy")
    message = told(npy(tmp_path, logits(split)), split, file)
    assert message == f"{file} has [9] targets for 10 samples"


def test_pickles_are_refused(split: ShardedSplit, tmp_path: Path) -> None:
    objects = np.empty((10, 3), dtype=object)
    objects[:] = 0.5
    np.save(tmp_path / "objects.npy", objects, allow_pickle=True)
    (tmp_path / "plain.npy").write_bytes(pickle.dumps(np.zeros((10, 3))))
    for name in ("objects.npy", "plain.npy"):
        message = told(tmp_path / name, split)
        assert message.startswith(f"{tmp_path / name} is not readable as an npy array (")


def test_an_archive_of_arrays_is_refused(split: ShardedSplit, tmp_path: Path) -> None:
    with (tmp_path / "scores.npy").open("wb") as file:
        np.savez(file, a=np.zeros(3), b=np.zeros(3))
    assert told(tmp_path / "scores.npy", split).endswith("holds several arrays; one is needed")


@pytest.mark.parametrize("content", [b"", b"words", b"\x93NUMPY", b"PK\x03\x04"])
@pytest.mark.parametrize("name", ["scores.npy", "scores.parquet"])
def test_damaged_files(split: ShardedSplit, tmp_path: Path, name: str, content: bytes) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    assert told(file, split).startswith(f"{file} is not readable as")


def test_text_is_no_score(split: ShardedSplit, tmp_path: Path) -> None:
    file = npy(tmp_path, np.full((10, 3), "high"))
    assert str(file) in told(file, split)


@pytest.mark.parametrize(
    "table",
    [
        pa.table({"key": ["a"], "score": [[1.0]]}),
        pa.table({"key": ["a", "b"], "scores": [[1.0, 2.0, 3.0], [1.0]]}),
        pa.table({"key": ["a", "b"], "scores": [[1.0, 2.0, 3.0], None]}),
        pa.table({"key": ["a"], "scores": [["x", "y", "z"]]}),
    ],
    ids=["no scores", "unequal lengths", "null", "text"],
)
def test_parquet_of_another_form(split: ShardedSplit, tmp_path: Path, table: pa.Table) -> None:
    file = tmp_path / "scores.parquet"
    pq.write_table(table, file)
    assert told(file, split).startswith(f"{file} is not readable as Parquet with key and equally")


@pytest.mark.parametrize("name", ["none.npy", "none.parquet"])
def test_no_such_file(split: ShardedSplit, tmp_path: Path, name: str) -> None:
    assert told(tmp_path / name, split).startswith(f"{tmp_path / name} is not readable")


@needs_shared
def test_the_probabilities_of_a_published_study() -> None:
    # oracles.md: top-1 92.94 %, top-5 99.74 %, NLL 0.2491713.
    folder = SHARED / "data/label_errors"
    files = sorted(folder.glob("*.npy"))
    labels = next(file for file in files if np.load(file).ndim == 1)
    scores = next(file for file in files if np.load(file).ndim == 2)
    truth = np.load(labels)
    keys = [f"cifar10_test_{row:05d}" for row in range(len(truth))]
    samples = pa.table({"key": keys, "target": pa.array(truth.tolist(), pa.int32())})
    imported = read_imported(scores, labels, "probabilities", samples, 10)
    assert imported.scores.shape == (10_000, 10)
    logs = np.log(imported.scores.astype(np.float64))
    assert (imported.scores.argmax(axis=1) == truth).sum() == 9_294
    assert -logs[np.arange(10_000), truth].mean() == pytest.approx(0.2491713, abs=1e-6)
