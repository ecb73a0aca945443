"""``nightmark fetch``."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import flows.cli.shards as command_module
from shards.sources.fetching import Download

Command = Callable[..., int]


def test_fetch_that_cannot_be(
    tmp_path: Path,
    nightmark: Command,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert nightmark("fetch", "imagenet", "--to", tmp_path) == 2
    assert "cannot be fetched without an account" in capsys.readouterr().err
    assert nightmark("fetch", "svhn", "--to", tmp_path) == 2
    assert "'svhn' cannot be fetched; there are: cifar10" in capsys.readouterr().err
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/x.tar.gz"
        wanted = (Download("x.tar.gz", url, None),)
        monkeypatch.setattr(command_module, "downloads", lambda *_: wanted)
        assert nightmark("fetch", "cifar10", "--to", tmp_path) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"{url} cannot be reached" in error
    assert str(tmp_path / "x.tar.gz") in error


def test_fetch_prints_what_arrives(
    tmp_path: Path,
    nightmark: Command,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fetch_files(wanted: Any, folder: Path, received: Callable[..., None]) -> list[Path]:
        for done in range(0, 101, 5):
            received("x.tar.gz", done, 100)
        return [folder / "x.tar.gz"]

    monkeypatch.setattr(command_module, "fetch_files", fetch_files)
    assert nightmark("fetch", "cifar10", "--to", tmp_path) == 0
    printed = capsys.readouterr().out
    assert printed.count(" of 100 bytes") == 10
    assert f"next: nightmark inspect {tmp_path}" in printed
