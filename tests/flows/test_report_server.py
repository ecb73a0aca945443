"""The reports over HTTP: the nights' files, and nothing around them."""

import http.client
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from flows.cli.report_server import report_site, serving_reports
from shards.errors import InputError


@pytest.fixture
def nights(tmp_path: Path) -> Path:
    folder = tmp_path / "root" / "nights"
    (folder / "n1").mkdir(parents=True)
    (folder / "index.html").write_text("all nights")
    (folder / "n1" / "index.html").write_text("one night")
    (tmp_path / "root" / "secret.txt").write_text("secret")
    (folder / "out").symlink_to(tmp_path / "root" / "secret.txt")
    return folder


@pytest.fixture
def client(nights: Path) -> Iterator[TestClient]:
    with TestClient(report_site(nights), base_url="http://127.0.0.1") as opened:
        yield opened


def test_pages_are_served(client: TestClient) -> None:
    assert client.get("/").text == "all nights"
    assert client.get("/n1/index.html").text == "one night"
    assert client.get("/n1/").text == "one night"


@pytest.mark.parametrize(
    "path",
    ["/../secret.txt", "/%2e%2e/secret.txt", "/n1/..%2f..%2fsecret.txt", "//etc/passwd", "/out"],
)
def test_nothing_else_is(client: TestClient, path: str) -> None:
    found = client.get(path)
    assert found.status_code == 404
    assert "secret" not in found.text


def test_raw_requests_do_not_leave_the_folder(nights: Path) -> None:
    with serving_reports(nights, 0) as address:
        connection = http.client.HTTPConnection(address.removeprefix("http://").rstrip("/"))
        for path in ("/../secret.txt", "/n1/../../secret.txt", "/..%2fsecret.txt"):
            connection.putrequest("GET", path)
            connection.endheaders()
            answer = connection.getresponse()
            assert (answer.status, b"secret" in answer.read()) == (404, False)
        connection.close()


def test_foreign_hosts_are_refused(client: TestClient) -> None:
    assert client.get("/", headers={"host": "evil.example"}).status_code == 400


def test_a_taken_port_is_told(nights: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(InputError, match="--reports-port"), serving_reports(nights, port):
            pass
