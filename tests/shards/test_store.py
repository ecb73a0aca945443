import errno
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.spec import AbstractBufferedFile, AbstractFileSystem

from shards.errors import InputError, StoreError
from shards.store import COPY_BYTES, Store


@pytest.fixture(params=["local", "memory"])
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "local":
        yield Store.at(tmp_path / "root")
        return
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]
    yield Store.at("memory://root/below")
    MemoryFileSystem.store.clear()


def no_space(*_: Any) -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_what_is_published_can_be_read(any_store: Store) -> None:
    any_store.publish("a/b/c.bin", b"content")
    assert any_store.exists("a/b/c.bin")
    assert any_store.size("a/b/c.bin") == 7
    assert any_store.read("a/b/c.bin") == b"content"
    with any_store.open("a/b/c.bin") as file:
        file.seek(3)
        assert file.read(2) == b"te"


def test_a_sentence_for_others_has_no_path_of_this_machine(any_store: Store) -> None:
    there = any_store.locate("shards/a.tar")
    assert any_store.without_root(f"shard {there} is gone") == "shard shards/a.tar is gone"
    assert any_store.without_root("weights /a/b are gone") == "weights /a/b are gone"


def test_publishing_again_replaces(any_store: Store) -> None:
    any_store.publish("a.bin", b"long content")
    any_store.publish("a.bin", b"short")
    assert any_store.read("a.bin") == b"short"
    assert any_store.names("") == ["a.bin"]


def test_a_file_larger_than_one_copy(any_store: Store) -> None:
    content = os.urandom(COPY_BYTES + 3)
    any_store.publish("large.bin", content)
    assert any_store.read("large.bin") == content


def interrupt(store: Store, path: str, error: BaseException) -> None:
    with store.publishing(path) as file:
        file.write(b"half")
        raise error


def test_an_exception_publishes_nothing(any_store: Store) -> None:
    with pytest.raises(RuntimeError, match="stop"):
        interrupt(any_store, "a/b.bin", RuntimeError("stop"))
    assert not any_store.exists("a/b.bin")
    assert any_store.names("a") == []


def test_an_exception_keeps_the_old_content(any_store: Store) -> None:
    any_store.publish("a.bin", b"old")
    with pytest.raises(KeyboardInterrupt):
        interrupt(any_store, "a.bin", KeyboardInterrupt())
    assert any_store.read("a.bin") == b"old"


def test_a_reader_sees_old_content_until_the_block_ends(any_store: Store) -> None:
    any_store.publish("a.bin", b"old")
    with any_store.publishing("a.bin") as file:
        file.write(b"new")
        file.flush()
        assert any_store.read("a.bin") == b"old"
        assert any_store.names("") == ["a.bin"]
    assert any_store.read("a.bin") == b"new"


def test_names_are_sorted_and_hide_hidden_files(any_store: Store) -> None:
    for name in ("b.tar", "a.tar", "folder/x", ".a.tar.0123.partial"):
        any_store.publish(f"f/{name}", b"1")
    assert any_store.names("f") == ["a.tar", "b.tar", "folder"]
    assert any_store.names("nowhere") == []


def test_names_are_never_stale(any_store: Store) -> None:
    assert any_store.names("f") == []
    any_store.publish("f/a", b"1")
    assert any_store.names("f") == ["a"]
    any_store.publish("f/below/b", b"1")
    any_store.remove_folder("f")
    assert any_store.names("f") == []
    assert not any_store.exists("f/below/b")


def test_files_are_listed_with_all_below(any_store: Store) -> None:
    before = datetime.now(UTC) - timedelta(seconds=5)
    any_store.publish("f/a", b"12")
    any_store.publish("f/below/.b.0123.partial", b"1")
    any_store.publish("other", b"")
    listed = list(any_store.files("f"))
    assert [(file.path, file.size) for file in listed] == [
        ("f/a", 2),
        ("f/below/.b.0123.partial", 1),
    ]
    assert all(before < file.modified < datetime.now(UTC) for file in listed)
    assert len({file.content for file in listed}) == 2
    assert [file.path for file in any_store.files()] == [*(f.path for f in listed), "other"]
    assert list(any_store.files("nowhere")) == []


def test_hard_links_have_one_content(tmp_path: Path) -> None:
    store = Store.at(tmp_path)
    store.publish("a", b"12")
    store.link("a", "f/b")
    first, second = store.files()
    assert first.content == second.content
    assert (first.links, second.links) == (2, 2)


@pytest.mark.parametrize(
    "entry",
    [
        {"LastModified": datetime(2026, 1, 2, tzinfo=UTC)},  # s3fs
        {"last_modified": datetime(2026, 1, 2)},  # noqa: DTZ001 (adlfs may say so)
        {"updated": "2026-01-02T00:00:00Z"},  # gcsfs
        {"created": 1767312000.0},  # memory
    ],
)
def test_times_of_every_kind_of_store(entry: dict[str, Any]) -> None:
    store = Store.at("memory://times")
    assert store._modified("x", entry) == datetime(2026, 1, 2, tzinfo=UTC)


def test_empty_folders_around_paths_go(any_store: Store) -> None:
    any_store.publish("f/kept", b"")
    any_store.publish("f/below/deep/gone", b"")
    any_store.remove("f/below/deep/gone")
    any_store.remove_empty_folders(["f/below/deep/gone"])
    assert any_store.names("f") == ["kept"]
    any_store.remove("f/kept")
    any_store.remove_empty_folders(["f/kept"])
    assert any_store.names("") == []


@pytest.mark.parametrize("ask", [Store.read, Store.size, Store.remove_folder])
def test_what_is_not_there(any_store: Store, ask: Callable[[Store, str], object]) -> None:
    with pytest.raises(FileNotFoundError):
        ask(any_store, "nothing.bin")
    with pytest.raises(FileNotFoundError), any_store.open("nothing.bin"):
        pass
    assert not any_store.exists("nothing.bin")


@pytest.mark.parametrize("path", ["../x", "a/../x", "a/..", "..", "/etc/passwd"])
def test_no_path_leads_out(any_store: Store, path: str) -> None:
    for ask in (any_store.read, any_store.exists, any_store.names, any_store.locate):
        with pytest.raises(ValueError, match="leads out of the store"):
            ask(path)
    with pytest.raises(ValueError, match="leads out of the store"):
        any_store.publish(path, b"")
    with pytest.raises(ValueError, match="leads out of the store"):
        any_store.remove_folder(path)


def test_locate_is_what_a_person_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = Store.at("relative root")
    store.publish("a/b", b"1")
    assert Path(store.locate("a/b")) == tmp_path / "relative root/a/b"
    assert Path(store.locate("a/b")).read_bytes() == b"1"
    assert Store.at("memory://x").locate("a") == "memory:///x/a"


@pytest.mark.parametrize("url", ["nosuch://bucket/x", "hdfs3://x"])
def test_an_unknown_protocol(url: str) -> None:
    with pytest.raises(InputError, match=f"artifact root {url}"):
        Store.at(url)


def test_a_root_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match=r"file/a/b\.bin cannot be written \("):
        Store.at(tmp_path / "file").publish("a/b.bin", b"x")


class FullDisk(io.FileIO):
    def write(self, _block: object) -> NoReturn:
        no_space()


def test_a_full_disk_while_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store.at(tmp_path)
    store.publish("a.bin", b"old")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", lambda path, _mode: io.BufferedWriter(FullDisk(path, "x")))
        for content in (b"short", bytes(1 << 20)):
            with pytest.raises(
                StoreError, match=r"a\.bin cannot be written \(No space left"
            ) as full:
                store.publish("a.bin", content)
            assert isinstance(full.value.__cause__, OSError)
    assert store.read("a.bin") == b"old"
    assert list(tmp_path.iterdir()) == [tmp_path / "a.bin"]


def test_a_disk_that_is_full_only_when_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store.at(tmp_path)
    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(StoreError, match="No space left"):
        store.publish("a.bin", b"new")
    assert list(tmp_path.iterdir()) == []


def test_content_is_synced_before_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[bool, bool]] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        seen.append((Path(f"/dev/fd/{descriptor}").is_dir(), (tmp_path / "a.bin").exists()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    Store.at(tmp_path).publish("a.bin", b"new")
    assert seen == [(False, False), (True, True)]


class ObjectStore(AbstractFileSystem):
    """As s3fs and adlfs do it: parts are uploaded while writing, closing completes the object."""

    protocol = "made-objects"
    cachable = False
    objects: ClassVar[dict[str, bytes]] = {}

    def _open(self, path: str, mode: str = "rb", **_: Any) -> "Upload":
        return Upload(self, path, mode, block_size=1 << 20)


class Upload(AbstractBufferedFile):
    """An upload whose second part fails."""

    def _initiate_upload(self) -> None:
        self.parts: list[bytes] = []

    def _upload_chunk(self, final: bool = False) -> None:
        if len(self.parts) == 1 and not final:
            no_space()
        self.parts.append(self.buffer.getvalue())
        if final:
            self.fs.objects[self.path] = b"".join(self.parts)


class AbortingUpload(Upload):
    """As s3fs: a discarded upload has no buffer any more."""

    def discard(self) -> None:
        self.buffer = None


@pytest.mark.parametrize("upload", [Upload, AbortingUpload])
def test_an_upload_that_fails_midway(upload: type[Upload], monkeypatch: pytest.MonkeyPatch) -> None:
    filesystem = ObjectStore()
    monkeypatch.setattr(ObjectStore, "objects", {})
    monkeypatch.setattr(
        ObjectStore, "_open", lambda self, path, mode, **_: upload(self, path, mode, 1 << 20)
    )
    store = Store("made-objects://b", filesystem, "b")
    with pytest.raises(StoreError, match="No space left"):
        store.publish("a.bin", bytes(3 * COPY_BYTES))
    assert filesystem.objects == {}


WRITER = """
import sys, time
from shards.store import Store
with Store.at(sys.argv[1]).publishing("a/b.tar") as file:
    file.write(bytes(1 << 20))
    file.flush()
    print("writing", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("old", [None, b"old"])
def test_a_killed_writer_leaves_nothing_under_the_name(
    tmp_path: Path, request: pytest.FixtureRequest, old: bytes | None
) -> None:
    store = Store.at(tmp_path)
    if old is not None:
        store.publish("a/b.tar", old)
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    with subprocess.Popen(command, cwd=request.config.rootpath, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"writing\n"
        writer.send_signal(signal.SIGKILL)
    assert writer.returncode == -signal.SIGKILL
    assert store.names("a") == ([] if old is None else ["b.tar"])
    assert store.exists("a/b.tar") == (old is not None)
    store.publish("a/b.tar", b"whole")
    assert store.read("a/b.tar") == b"whole"
    assert store.names("a") == ["b.tar"]
