"""Official archives from their publishers: resumed, checked by MD5, published by rename."""

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import httpx

from shards.errors import InputError, StoreError
from shards.sources.official import OFFICIAL

PARTIAL = ".partial"
BLOCK_BYTES = 1 << 20
UNSATISFIABLE = httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE
TIMEOUT = httpx.Timeout(60.0, connect=15.0)
ARCHIVES = {
    "cifar10": ("cifar-10-python.tar.gz",),
    "cifar100": ("cifar-100-python.tar.gz",),
    "mnist": tuple(name for name in OFFICIAL if name.startswith("mnist/")),
    "fashion-mnist": tuple(name for name in OFFICIAL if name.startswith("fashion-mnist/")),
}
IMAGENET_REFUSAL = (
    "ImageNet cannot be fetched without an account: register at "
    "https://image-net.org/download-images, put ILSVRC2012_img_val.tar (and "
    "ILSVRC2012_img_train.tar) with ILSVRC2012_devkit_t12.tar.gz into {folder}, then run "
    "`nightmark inspect {folder}`"
)

Advance = Callable[[str, int, int | None], None]
"""Is told a file's name, its bytes so far, and all its bytes where they are known."""


@dataclass(frozen=True, slots=True)
class Download:
    """One file of a publisher; without an MD5 its length alone is checked."""

    name: str
    url: str
    md5: str | None


def downloads(name: str, folder: Path) -> tuple[Download, ...]:
    """The files of a dataset.

    Raises:
        InputError: no such dataset, or one that needs an account; says where files go by hand.
    """
    if name == "imagenet":
        raise InputError(IMAGENET_REFUSAL.format(folder=folder))
    if name not in ARCHIVES:
        known = ", ".join(sorted((*ARCHIVES, "imagenet")))
        raise InputError(f"{name!r} cannot be fetched; there are: {known}")
    found = [(file, OFFICIAL[file]) for file in ARCHIVES[name]]
    return tuple(
        Download(file.rsplit("/", 1)[-1], known.url, known.md5)
        for file, known in found
        if known.url is not None
    )


def fetch(wanted: Sequence[Download], folder: Path, advance: Advance) -> list[Path]:
    """Fetch what is not there yet; the files, in that order.

    What arrives lies under the file's name and ``.partial`` until it is whole and checked; an
    interrupted download goes on from there.

    Raises:
        InputError: no connection, an answer that is no file, or another MD5.
        StoreError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with httpx.Client(follow_redirects=True, timeout=TIMEOUT) as client:
            return [_fetch_one(client, download, folder, advance) for download in wanted]
    except OSError as error:
        raise StoreError(
            f"{folder} cannot be written ({error.strerror or error}); what arrived is kept: mend "
            f"the cause and run again"
        ) from error


def _fetch_one(client: httpx.Client, download: Download, folder: Path, advance: Advance) -> Path:
    target = folder / download.name
    if target.exists():
        found = _md5(target)
        if download.md5 in (None, found):
            return target
        raise InputError(
            f"{target} is there, but its MD5 is {found}, not {download.md5}; remove it or fetch "
            f"into another folder"
        )
    partial = folder / f"{download.name}{PARTIAL}"
    try:
        _receive(client, download, partial, advance)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise InputError(_no_download(download, target, partial, error)) from error
    found = _md5(partial)
    if download.md5 not in (None, found):
        partial.unlink()
        raise InputError(
            f"{download.url}: what arrived has the MD5 {found}, not {download.md5}, and was "
            f"removed; run again, or put the official file at {target}"
        )
    with partial.open("rb+") as file:
        os.fsync(file.fileno())
    partial.replace(target)
    return target


def _receive(client: httpx.Client, download: Download, partial: Path, advance: Advance) -> None:
    """Append to ``partial`` what is missing of it. Raises httpx.HTTPError."""
    there = partial.stat().st_size if partial.exists() else 0
    # Compressed on the way, a range would be one of other bytes.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={there}-"} if there else {})
    with client.stream("GET", download.url, headers=headers) as response:
        if there and not _continues(response, there):
            if _total(response) == there and response.status_code == UNSATISFIABLE:
                return  # all of it was there
            if response.status_code in (UNSATISFIABLE, httpx.codes.PARTIAL_CONTENT):
                partial.unlink()
                _receive(client, download, partial, advance)
                return
            there = 0
        response.raise_for_status()
        with partial.open("ab" if there else "wb") as file:
            for done in _copied(response, file, there):
                advance(download.name, done, _total(response))


def _continues(response: httpx.Response, there: int) -> bool:
    begins = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    partial = response.status_code == httpx.codes.PARTIAL_CONTENT
    return partial and begins is not None and int(begins[1]) == there


def _total(response: httpx.Response) -> int | None:
    """The bytes of the whole file, where the server says."""
    if whole := re.search(r"/(\d+)$", response.headers.get("Content-Range", "")):
        return int(whole[1])
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() and response.is_success else None


def _copied(response: httpx.Response, file: BinaryIO, done: int) -> Iterator[int]:
    for block in response.iter_raw(BLOCK_BYTES):
        file.write(block)
        done += len(block)
        yield done


def _no_download(download: Download, target: Path, partial: Path, error: Exception) -> str:
    """One line: what failed, and both ways on."""
    there = partial.stat().st_size if partial.exists() else 0
    kept = f" ({there} bytes are kept)" if there else ""
    match error:
        case httpx.HTTPStatusError():
            what = f"{download.url} answered {error.response.status_code}"
        case httpx.ConnectError() | httpx.ConnectTimeout():
            what = f"{download.url} cannot be reached: no internet here, or the host is away"
        case _:
            cause = " ".join(str(error).split()) or type(error).__name__
            what = f"{download.url} broke off ({cause})"
    return f"{what}; run again{kept}, or put the file by hand at {target}"


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
