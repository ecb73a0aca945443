"""S3 spoken with a real server, and files on the web."""

import threading
import time
import traceback
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from shards.errors import ModelError
from tasks.weights import object_store
from tasks.weights.address import Address
from tasks.weights.kept import stamp_of
from tests.support import remote_weights
from tests.support.fetching import fetched
from tests.support.remote_weights import Place


@pytest.fixture(scope="module")
def bucket() -> Iterator[Place]:
    with remote_weights.s3() as place:
        yield place


def led_to(environment: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients are made anew, by these variables."""
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    for name, value in dict(environment).items():  # type: ignore[call-overload]
        monkeypatch.setenv(name, value)


def test_an_object_is_known_by_its_etag(
    root: Path, bucket: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    led_to(bucket.environment, monkeypatch)
    bucket.put(b"one")
    first = fetched(root, bucket.address)
    assert first.path.read_bytes() == b"one"
    # The ETag of an object in one part is its MD5.
    assert first.origin == f"{bucket.address} at ETag f97c5d29941bfb1b2fdab0874906ab82"
    bucket.put(b"two")
    second = fetched(root, bucket.address)
    assert second.path.read_bytes() == b"two"
    assert second.version != first.version
    bucket.put(b"one")
    assert fetched(root, bucket.address) == first


def test_a_folder_of_objects(root: Path, bucket: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    led_to(bucket.environment, monkeypatch)
    bucket.put(b"one")
    folder = bucket.address.rpartition("/")[0] + "/"
    found = fetched(root, folder)
    assert (found.path / remote_weights.FILE).read_bytes() == b"one"
    bucket.put(b"three")
    assert fetched(root, folder).version != found.version


def test_a_server_that_is_away_is_told_in_seconds(
    root: Path, bucket: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    led_to(bucket.away, monkeypatch)
    with pytest.raises(ModelError) as refused:
        fetched(root, bucket.address)
    said = str(refused.value)
    assert said.startswith(f"model m: weights {bucket.address} cannot be had (")
    assert "AWS_ENDPOINT_URL" in said
    assert "\n" not in said


def test_what_is_not_there(root: Path, bucket: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    led_to(bucket.environment, monkeypatch)
    for address in ("s3://weights/none.bin", "s3://no-such-bucket/none.bin"):
        with pytest.raises(ModelError, match="FileNotFoundError"):
            fetched(root, address)


def test_a_file_on_the_web(root: Path, tmp_path: Path) -> None:
    pytest.importorskip("aiohttp")
    (tmp_path / "www").mkdir()
    (tmp_path / "www/best.bin").write_bytes(b"one")
    serve = partial(Quiet, directory=str(tmp_path / "www"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), serve)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/best.bin"
    signed = f"{address}?signature=secret"
    try:
        found = fetched(root, signed)
        assert found.path.read_bytes() == b"one"
        assert found.origin.startswith(f"{address} at Last-Modified ")
        assert found.origin.endswith(" GMT, 3 bytes")
        assert "secret" not in found.path.with_name("fetched.json").read_text()
    finally:
        server.shutdown()
        server.server_close()
    with pytest.raises(ModelError, match="cannot be had") as refused:
        fetched(root, signed)
    # A log has the traceback with all that led to it.
    assert "secret" not in "".join(traceback.format_exception(refused.value))


def test_a_web_server_may_take_long_but_not_fall_silent(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("aiohttp")
    monkeypatch.setattr(object_store, "SILENT_SECONDS", 0.2)
    with ThreadingHTTPServer(("127.0.0.1", 0), Silent) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/best.bin"
        with pytest.raises(ModelError, match="Timeout"):
            fetched(root, address)
        server.shutdown()
    filesystem, _ = object_store.ObjectStore.of(address)._opened()
    assert filesystem.client_kwargs["timeout"].total is None


class Quiet(SimpleHTTPRequestHandler):
    """A web server that gives files with the time when they were written."""

    def log_message(self, *_: object) -> None:
        """Not on the terminal of the tests."""


class Silent(Quiet):
    """One that says what it has, and then nothing more for a second."""

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("ETag", "one")
        self.send_header("Content-Length", "3")
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        time.sleep(1)


def test_a_bucket_whose_versioning_was_suspended_is_known_by_its_etag(
    memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"size": 3, "type": "file", "VersionId": "null", "ETag": '"abc"'}
    monkeypatch.setattr(MemoryFileSystem, "info", lambda *_: told)
    assert str(stamp_of("m", Address("memory://w/best.bin"))) == "ETag abc"


def test_a_store_that_tells_nothing_is_refused(
    memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MemoryFileSystem, "info", lambda *_: {"size": 3, "type": "file"})
    with pytest.raises(ModelError, match="tells neither ETag nor time"):
        stamp_of("m", Address("memory://w/best.bin"))
