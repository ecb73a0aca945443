import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from shards.build import build_shard, finish
from shards.errors import ShardError, SourceError, StoreError
from shards.manifest import MANIFEST_NAME
from shards.parts import PARTS, missing_shards
from shards.reader import ShardedSplit
from shards.recipe import recipe_for
from shards.sample import Sample, Skipped
from shards.store import Store
from shards.verify import verify_split
from tests.shards.listed import ListSource, files, made_source
from tests.shards.made import FOLDER, build


def test_finish_needs_every_part(store: Store) -> None:
    recipe = recipe_for(made_source(), "made", "test", 3)
    build_shard(made_source(), store, FOLDER, recipe, 0)
    with pytest.raises(ShardError, match=r"parts/000001\.parquet is missing; run the build again"):
        finish(made_source(), store, FOLDER, recipe)
    assert not store.exists(f"{FOLDER}/{MANIFEST_NAME}")


def test_a_damaged_part_or_a_lost_tar_is_not_finished(store: Store) -> None:
    recipe = recipe_for(made_source(), "made", "test", 3)
    for shard in range(recipe.shard_count):
        build_shard(made_source(), store, FOLDER, recipe, shard)
    tar = Path(store.locate(f"{FOLDER}/{recipe.shard_name(1)}"))
    tar.unlink()
    with pytest.raises(
        ShardError, match=r"000001\.tar was built and is gone; remove parts/000001\."
    ):
        finish(made_source(), store, FOLDER, recipe)
    part = tar.parent / PARTS / "000001.parquet"
    part.write_bytes(b"")
    with pytest.raises(ShardError, match=r"parts/000001\.parquet is damaged .*; remove it and run"):
        finish(made_source(), store, FOLDER, recipe)
    part.unlink()
    assert missing_shards(store, FOLDER, recipe) == [1]
    build_shard(made_source(), store, FOLDER, recipe, 1)
    finish(made_source(), store, FOLDER, recipe)
    assert verify_split(ShardedSplit.open(store, FOLDER), 1).faults == ()


class Lies(ListSource):
    """Gives one entry less, or more, than it was asked for in the second range."""

    surplus = 0

    def read(self, start: int, stop: int) -> Iterator[Sample | Skipped]:
        return super().read(start, stop + (self.surplus if start == 3 else 0))


class LosesEntries(Lies):
    surplus = -1


class DoublesEntries(Lies):
    surplus = 1


@pytest.mark.parametrize(("lying", "count"), [(LosesEntries, "2"), (DoublesEntries, "more than 3")])
def test_another_number_of_results_than_entries_ends_the_build(
    store: Store, lying: type[Lies], count: str
) -> None:
    message = f"made: entries 3 to 6 gave {count} results instead of 3"
    with pytest.raises(SourceError, match=message):
        build(lying(made_source().entries), store)
    # Nothing of that range, and nothing that says the split is whole.
    assert sorted(files(store)) == ["made-test-000000.tar", f"{PARTS}/000000.parquet"]


@pytest.mark.parametrize("failing", ["tar", "parquet", "json"])
def test_a_full_disk_publishes_nothing_by_halves(
    store: Store, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    build(made_source(), store, "whole")
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if f".{failing}." in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with pytest.raises(StoreError, match="No space left"):
            build(made_source(), store)
    half = files(store)
    assert MANIFEST_NAME not in half
    assert not [name for name in half if name.endswith(".partial")]
    whole = files(store, "whole")
    assert all(half[name] == whole[name] for name in half if not name.startswith(PARTS))

    recipe = recipe_for(made_source(), "made", "test", 3)
    for shard in missing_shards(store, FOLDER, recipe):
        build_shard(made_source(), store, FOLDER, recipe, shard)
    finish(made_source(), store, FOLDER, recipe)
    assert files(store) == whole


def test_a_source_that_fails_publishes_no_shard(store: Store) -> None:
    class Failing(ListSource):
        def read(self, start: int, stop: int) -> Iterator[Sample | Skipped]:
            yield from self.entries[start : stop - 1]
            no_more()

    def no_more() -> NoReturn:
        raise OSError(errno.EIO, "input/output error")

    recipe = recipe_for(made_source(), "made", "test", 3)
    with pytest.raises(SourceError, match=r"made: entries 0 to 3 cannot be read .*input/output"):
        build_shard(Failing(made_source().entries), store, FOLDER, recipe, 0)
    assert files(store) == {}


BUILDER = """
import sys, time
from shards.store import Store
from tests.shards.made import build
from tests.shards.listed import ListSource, made_source
class Slow(ListSource):
    def read(self, start, stop):
        for entry in super().read(start, stop):
            if start == 6:
                print("third shard", flush=True)
                time.sleep(60)
            yield entry
build(Slow(made_source().entries), Store.at(sys.argv[1]))
"""


def test_a_killed_build_is_resumed(store: Store, request: pytest.FixtureRequest) -> None:
    command = [sys.executable, "-c", BUILDER, store.root]
    with subprocess.Popen(command, cwd=request.config.rootpath, stdout=subprocess.PIPE) as builder:
        assert builder.stdout is not None
        assert builder.stdout.readline() == b"third shard\n"
        builder.send_signal(signal.SIGKILL)
    recipe = recipe_for(made_source(), "made", "test", 3)
    assert missing_shards(store, FOLDER, recipe) == [2, 3]
    for shard in (2, 3):
        build_shard(made_source(), store, FOLDER, recipe, shard)
    finish(made_source(), store, FOLDER, recipe)
    build(made_source(), store, "whole")
    assert files(store) == files(store, "whole")
