import io
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shards.errors import ShardError
from shards.reader import Shard, ShardedSplit
from shards.store import Store
from tasks.layout import PairName, SplitName
from tasks.predictions.schema import SCHEMA, Scored, prediction_rows, score_rows
from tasks.predictions.store import PredictionStore
from tasks.tables import read_table
from tests.shards.made import FOLDER, build, made_source

PAIR = PairName(SplitName("made", "test"), "m")
RUN = "r0123456789abcdef"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.at(tmp_path / "artifacts")


@pytest.fixture
def split(store: Store) -> ShardedSplit:
    build(made_source(), store)
    return ShardedSplit.open(store, FOLDER)


def predictions(store: Store, *, keep_scores: bool = True) -> PredictionStore:
    return PredictionStore(store, PAIR, RUN, keep_scores)


def scored(shard: Shard) -> Scored:
    keys = shard.rows["key"].to_pylist()
    rng = np.random.default_rng(len(keys))
    return Scored(
        keys=keys,
        targets=shard.rows["target"].to_pylist(),
        scores=rng.normal(size=(len(keys), 3)).astype(np.float32),
        errors=["no image", *[None] * (len(keys) - 1)],
        output="logits",
    )


def write(to: PredictionStore, shard: Shard) -> pa.Table:
    rows = prediction_rows(scored(shard))
    to.write(shard, rows, score_rows(scored(shard)))
    return rows


def local(store: Store, path: str) -> Path:
    return Path(store.locate(path))


def test_what_is_written_is_read(store: Store, split: ShardedSplit) -> None:
    there = predictions(store)
    for shard in split.shards():
        written = write(there, shard)
        assert there.read(shard).equals(written)
        assert there.read(shard).schema.equals(SCHEMA)


def test_what_is_missing(store: Store, split: ShardedSplit) -> None:
    there, shards = predictions(store), split.shards()
    assert there.missing(shards) == shards
    write(there, shards[1])
    assert there.missing(shards) == [shards[0], *shards[2:]]
    for shard in shards:
        write(there, shard)
    assert there.missing(shards) == []
    assert PredictionStore(store, PAIR, "rother", keep_scores=True).missing(shards) == shards


def test_wanted_scores_that_are_not_there_are_missing(store: Store, split: ShardedSplit) -> None:
    shards = split.shards()
    for shard in shards:
        write(predictions(store, keep_scores=False), shard)
    assert predictions(store, keep_scores=False).missing(shards) == []
    assert not store.names("scores")
    assert predictions(store).missing(shards) == shards
    write(predictions(store), shards[0])
    assert predictions(store).missing(shards) == shards[1:]


def test_scores_are_there_before_predictions(
    store: Store, split: ShardedSplit, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    monkeypatch.setattr(Store, "publish", lambda _, path, __: order.append(path.split("/")[0]))
    write(predictions(store), split.shards()[0])
    assert order == ["scores", "predictions"]


@pytest.mark.parametrize("cut", [0, 3, 100, -1])
@pytest.mark.parametrize("folder", ["predictions", "scores"])
def test_what_is_cut_short_is_missing(
    store: Store, split: ShardedSplit, cut: int, folder: str
) -> None:
    there, shards = predictions(store), split.shards()
    for shard in shards:
        write(there, shard)
    assert there.cut_short(shards) == []
    path = there.path(shards[1]) if folder == "predictions" else there.scores_path(shards[1])
    file = local(store, path)
    file.write_bytes(file.read_bytes()[:cut])
    assert there.missing(shards) == there.cut_short(shards) == [shards[1]]
    write(there, shards[1])
    assert there.missing(shards) == []
    there.discard(shards[0])
    assert (there.missing(shards), there.cut_short(shards)) == ([shards[0]], [])
    assert not store.exists(there.scores_path(shards[0]))
    there.discard(shards[0])


def test_what_a_killed_writer_left_is_nobodys_predictions(
    store: Store, split: ShardedSplit
) -> None:
    """A hidden file is not listed, not missing, and not read by any reader of Parquet folders."""
    there, shards = predictions(store), split.shards()
    for shard in shards:
        write(there, shard)
        for path in (there.path(shard), there.scores_path(shard)):
            whole = local(store, path)
            torn = whole.with_name(f".{whole.name}.0123abcd.partial")
            torn.write_bytes(whole.read_bytes()[:100])
    assert there.missing(shards) == []
    found = ds.dataset(local(store, "predictions"), partitioning="hive").to_table()
    assert found.num_rows == split.samples.num_rows
    files = local(store, "predictions") / "**/*.parquet"
    with duckdb.connect() as connection:
        counted = connection.execute("select count(*) from read_parquet(?)", [str(files)])
        assert counted.fetchone() == (split.samples.num_rows,)


@pytest.mark.parametrize("cut", [0, 3, 100, -1])
def test_truncated_parquet_names_the_file(store: Store, split: ShardedSplit, cut: int) -> None:
    there, shard = predictions(store), split.shards()[0]
    write(there, shard)
    file = local(store, there.path(shard))
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(
        ShardError, match=r"are not readable .* run the evaluation again"
    ) as refused:
        there.read(shard)
    assert str(file) in str(refused.value)


def test_damaged_pages_name_the_file(store: Store, split: ShardedSplit) -> None:
    there, shard = predictions(store), split.shards()[0]
    write(there, shard)
    file = local(store, there.path(shard))
    content = bytearray(file.read_bytes())
    content[4:60] = b"\xff" * 56
    file.write_bytes(content)
    with pytest.raises(ShardError) as refused:
        there.read(shard)
    assert str(file) in str(refused.value)


def test_missing_predictions(store: Store, split: ShardedSplit) -> None:
    shard = split.shards()[0]
    with pytest.raises(ShardError, match=f"{shard.entry.sha256}.parquet are missing; run the eval"):
        predictions(store).read(shard)


def test_rows_of_another_shard_are_not_written(store: Store, split: ShardedSplit) -> None:
    first, second, *_ = split.shards()
    with pytest.raises(ValueError, match=f"the predictions are not those of {second.entry.url}"):
        predictions(store).write(second, prediction_rows(scored(first)), None)
    assert predictions(store).missing([second]) == [second]


def test_rows_that_do_not_fit_are_not_read(store: Store, split: ShardedSplit) -> None:
    there, shard = predictions(store), split.shards()[0]
    rows = write(there, shard)
    other = pa.table({"key": rows["key"]})
    for wrong in (rows.slice(0, 1), rows.drop_columns(["nll"]), other):
        sink = io.BytesIO()
        pq.write_table(wrong, sink)
        store.publish(there.path(shard), sink.getvalue())
        with pytest.raises(ShardError, match=f"do not fit shard {shard.entry.url}; remove"):
            there.read(shard)


def test_rows_of_another_shard_are_not_read(store: Store, split: ShardedSplit) -> None:
    # As many rows, other keys: a file that someone has renamed.
    there = predictions(store)
    first, second, *_ = split.shards()
    assert first.rows.num_rows == second.rows.num_rows or second.rows.num_rows
    write(there, first)
    keys = [f"other_{row}" for row in range(first.rows.num_rows)]
    renamed = there.read(first).set_column(0, SCHEMA.field("key"), pa.array(keys))
    sink = io.BytesIO()
    pq.write_table(renamed, sink)
    store.publish(there.path(first), sink.getvalue())
    with pytest.raises(ShardError, match="do not fit shard"):
        there.read(first)


def test_writing_again_gives_the_same_bytes(store: Store, split: ShardedSplit) -> None:
    there, shard = predictions(store), split.shards()[0]
    write(there, shard)
    before = local(store, there.path(shard)).read_bytes()
    write(there, shard)
    assert local(store, there.path(shard)).read_bytes() == before


def test_readers_find_partitions(store: Store, split: ShardedSplit) -> None:
    shards = split.shards()
    for shard in shards:
        write(predictions(store), shard)
    for folder in ("predictions", "scores"):
        found = ds.dataset(local(store, folder), partitioning="hive").to_table()
        assert found.num_rows == split.samples.num_rows
        assert set(found["dataset"].to_pylist()) == {"made"}
        assert set(found["model"].to_pylist()) == {"m"}
        assert set(found["run"].to_pylist()) == {RUN}
        assert sorted(found["key"].to_pylist()) == sorted(split.samples["key"].to_pylist())


def test_duckdb_reads_them(store: Store, split: ShardedSplit) -> None:
    for shard in split.shards():
        write(predictions(store), shard)
    files = local(store, "predictions") / "**/*.parquet"
    with duckdb.connect() as connection:
        found = connection.execute(
            "select split, run, count(*), count(target), count(error) "
            "from read_parquet(?, hive_partitioning=true) group by all",
            [str(files)],
        ).fetchall()
    labelled = split.samples.num_rows - split.samples["target"].null_count
    assert found == [("test", RUN, split.samples.num_rows, labelled, len(split.shards()))]


def test_an_altered_probability_is_found(store: Store, split: ShardedSplit) -> None:
    to, shard = predictions(store), split.shards()[0]
    write(to, shard)
    file = local(store, to.path(shard))
    whole = file.read_bytes()
    sure = sorted(pc.list_flatten(to.read(shard, ["topk_prob"])["topk_prob"]).to_pylist())
    # Neither the least nor the greatest, which stand among the file's statistics as well.
    at = whole.index(np.float32(sure[1]).tobytes())
    file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    with pytest.raises(ShardError, match=r"not readable \(.*CRC.*run the evaluation again"):
        to.read(shard)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from(["predictions", "scores"]), st.floats(0, 1), st.integers(1, 255))
def test_an_altered_byte_is_found_or_does_no_harm(
    store: Store, split: ShardedSplit, folder: str, where: float, change: int
) -> None:
    """Some bytes of a file are read by nobody, such as statistics; all others are looked after."""
    there, shards = predictions(store), split.shards()
    for shard in shards:
        write(there, shard)
    assert there.unreadable(shards) == []
    path = there.path(shards[1]) if folder == "predictions" else there.scores_path(shards[1])
    file = local(store, path)
    whole = pq.read_table(file, partitioning=None)
    content = bytearray(file.read_bytes())
    content[int(where * (len(content) - 1))] ^= change
    file.write_bytes(content)
    if there.unreadable(shards) != [shards[1]]:
        assert read_table(store, path).equals(whole)
