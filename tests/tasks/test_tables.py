"""Tables at rest, whole or damaged."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shards.errors import ShardError
from shards.store import Store
from tasks.tables import read_table, read_table_of, table_bytes

TABLE = pa.table({"key": ["a", "b"], "value": pa.array([1, 2], pa.int32())})
FILE = "folder/t.parquet"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    found = Store.at(tmp_path)
    found.publish(FILE, table_bytes(TABLE))
    return found


def test_what_was_written_is_read(store: Store) -> None:
    assert read_table(store, FILE).equals(TABLE)
    assert read_table(store, FILE, columns=("value",)).equals(TABLE.select(["value"]))
    assert read_table_of(store, FILE, TABLE.schema).equals(TABLE)


@pytest.mark.parametrize("part", [0, 1, 0.5, 0.9])
def test_a_damaged_file_is_named(store: Store, tmp_path: Path, part: float) -> None:
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole[: round(part * len(whole))] if part != 1 else b"\0" * 99)
    with pytest.raises(ShardError, match=r"t\.parquet is not readable .* and build it again"):
        read_table(store, FILE, advice="build it again")


def test_a_file_that_is_gone_is_named(store: Store, tmp_path: Path) -> None:
    (tmp_path / FILE).unlink()
    with pytest.raises(ShardError, match=r"t\.parquet is missing; build it again"):
        read_table(store, FILE, advice="build it again")


def test_another_table_is_refused(store: Store, tmp_path: Path) -> None:
    pq.write_table(pa.table({"other": [1]}), tmp_path / FILE)
    with pytest.raises(ShardError, match=r"t\.parquet is not readable") as caught:
        read_table(store, FILE, columns=("key",))
    assert "\n" not in str(caught.value)
    with pytest.raises(ShardError, match="holds another table than its name says"):
        read_table_of(store, FILE, TABLE.schema)
