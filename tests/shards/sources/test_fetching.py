import hashlib
import os
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from shards.errors import InputError, StoreError
from shards.sources.fetching import Download, downloads, fetch

CONTENT = os.urandom(3_000_001)
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


@dataclass
class Publisher:
    """A server of one file: what it was asked for, and how it is to behave."""

    ranges: list[str | None] = field(default_factory=list)
    break_off_after: int | None = None
    knows_ranges: bool = True
    wrong_range: bool = False
    status: int = 200
    url: str = ""

    def download(self, md5: str | None = MD5) -> Download:
        return Download("archive.tar.gz", self.url, md5)


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    behaviour = Publisher()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            behaviour.ranges.append(wanted)
            if behaviour.status != 200:
                self.send_error(behaviour.status)
                return
            start = int(re.findall(r"\d+", wanted)[0]) if wanted and behaviour.knows_ranges else 0
            if wanted and behaviour.knows_ranges and start >= len(CONTENT):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(CONTENT)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if start and behaviour.wrong_range:
                start = 10
            self.send_response(206 if start else 200)
            if start:
                last = len(CONTENT) - 1
                self.send_header("Content-Range", f"bytes {start}-{last}/{len(CONTENT)}")
            # Some servers say so of .tar.gz files, and mean the file as it is.
            self.send_header("Content-Encoding", "x-gzip")
            self.send_header("Content-Length", str(len(CONTENT) - start))
            self.end_headers()
            self.wfile.write(CONTENT[start : behaviour.break_off_after])

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        behaviour.url = f"http://127.0.0.1:{server.server_port}/archive.tar.gz"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield behaviour
        server.shutdown()
        thread.join()


def quiet(name: str, done: int, total: int | None) -> None:
    """Nobody looks."""


def only_file(folder: Path) -> bytes:
    (path,) = folder.iterdir()
    assert path.name == "archive.tar.gz"
    return path.read_bytes()


def test_a_file_arrives_with_progress(publisher: Publisher, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int | None]] = []
    folder = tmp_path / "new" / "folder"
    fetched = fetch([publisher.download()], folder, lambda *step: seen.append(step))
    assert fetched == [folder / "archive.tar.gz"]
    assert only_file(folder) == CONTENT
    assert seen[-1] == ("archive.tar.gz", len(CONTENT), len(CONTENT))
    assert len(seen) > 2


def test_what_is_there_is_not_asked_for_again(publisher: Publisher, tmp_path: Path) -> None:
    for _ in range(2):
        fetch([publisher.download()], tmp_path, quiet)
    assert publisher.ranges == [None]


def test_an_interrupted_download_goes_on(publisher: Publisher, tmp_path: Path) -> None:
    publisher.break_off_after = 2_500_000
    with pytest.raises(InputError, match=r"broke off .* bytes are kept\), or put the file by hand"):
        fetch([publisher.download()], tmp_path, quiet)
    partial = tmp_path / "archive.tar.gz.partial"
    kept = partial.stat().st_size
    assert 0 < kept <= 2_500_000
    publisher.break_off_after = None
    seen: list[int] = []
    fetch([publisher.download()], tmp_path, lambda _, done, __: seen.append(done))
    assert publisher.ranges == [None, f"bytes={kept}-"]
    assert seen[0] > kept
    assert only_file(tmp_path) == CONTENT


def test_a_download_that_was_whole_but_not_published(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / "archive.tar.gz.partial").write_bytes(CONTENT)
    fetch([publisher.download()], tmp_path, quiet)
    assert publisher.ranges == [f"bytes={len(CONTENT)}-"]
    assert only_file(tmp_path) == CONTENT


@pytest.mark.parametrize("there", [100, len(CONTENT) + 5])
@pytest.mark.parametrize("server", ["no ranges", "wrong ranges", "right"])
def test_servers_and_foreign_partial_files(
    publisher: Publisher, tmp_path: Path, there: int, server: str
) -> None:
    publisher.knows_ranges = server != "no ranges"
    publisher.wrong_range = server == "wrong ranges"
    begun = CONTENT[:there] if there < len(CONTENT) else bytes(there)
    (tmp_path / "archive.tar.gz.partial").write_bytes(begun)
    fetch([publisher.download()], tmp_path, quiet)
    assert only_file(tmp_path) == CONTENT


def test_another_md5_is_not_published(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / "archive.tar.gz.partial").write_bytes(bytes(1000))
    with pytest.raises(InputError, match=f"has the MD5 [0-9a-f]{{32}}, not {MD5}, and was removed"):
        fetch([publisher.download()], tmp_path, quiet)
    assert list(tmp_path.iterdir()) == []
    fetch([publisher.download()], tmp_path, quiet)
    assert only_file(tmp_path) == CONTENT


def test_another_file_of_that_name_is_left_alone(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / "archive.tar.gz").write_bytes(b"mine")
    with pytest.raises(InputError, match=r"archive\.tar\.gz is there, but its MD5 is "):
        fetch([publisher.download()], tmp_path, quiet)
    assert only_file(tmp_path) == b"mine"
    assert publisher.ranges == []


def test_a_file_without_a_known_md5(publisher: Publisher, tmp_path: Path) -> None:
    fetch([publisher.download(md5=None)], tmp_path, quiet)
    assert only_file(tmp_path) == CONTENT


@pytest.mark.parametrize("status", [404, 500])
def test_an_answer_that_is_no_file(publisher: Publisher, tmp_path: Path, status: int) -> None:
    publisher.status = status
    with pytest.raises(InputError) as refused:
        fetch([publisher.download()], tmp_path, quiet)
    target = tmp_path / "archive.tar.gz"
    assert str(refused.value) == (
        f"{publisher.url} answered {status}; run again, or put the file by hand at {target}"
    )


def test_no_connection_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}/x"
    with pytest.raises(InputError) as refused:
        fetch([Download("x", url, None)], tmp_path, quiet)
    message = str(refused.value)
    assert message.startswith(f"{url} cannot be reached")
    assert message.endswith(f"put the file by hand at {tmp_path / 'x'}")
    assert "\n" not in message


def test_a_folder_that_cannot_be_made(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="cannot be written"):
        fetch([publisher.download()], tmp_path / "file/below", quiet)


@pytest.mark.parametrize(
    ("name", "count"), [("cifar10", 1), ("cifar100", 1), ("mnist", 4), ("fashion-mnist", 4)]
)
def test_every_official_file_has_an_address_and_an_md5(name: str, count: int) -> None:
    found = downloads(name, Path())
    assert len(found) == count
    assert all(file.url.endswith(f"/{file.name}") and file.md5 for file in found)


def test_imagenet_needs_an_account() -> None:
    with pytest.raises(InputError, match=r"register at .* into the/folder, then run"):
        downloads("imagenet", Path("the/folder"))


def test_an_unknown_dataset() -> None:
    with pytest.raises(InputError, match="'svhn' cannot be fetched; there are: cifar10, cifar100"):
        downloads("svhn", Path())
