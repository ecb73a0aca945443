"""Files by their base names, out of a tar archive or a folder."""

import lzma
import tarfile
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path

from shards.errors import SourceError

READ_BYTES = 1 << 20


def read_files(location: Path, names: Collection[str], remedy: str) -> Mapping[str, bytes]:
    """The contents of ``names``, in that order, from a tar (packed or not) or below a folder.

    Raises:
        SourceError: one is missing, or the archive cannot be read; ends with ``remedy``.
    """
    try:
        found = _in_folder(location, names) if location.is_dir() else _in_tar(location, names)
    except (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        raise SourceError(f"{location} cannot be read as an archive ({error}); {remedy}") from error
    if missing := [name for name in names if name not in found]:
        raise SourceError(f"{location}: {', '.join(missing)} missing; {remedy}")
    return {name: found[name] for name in names}


def _in_folder(folder: Path, names: Collection[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for name in names:
        paths = [path for path in folder.rglob(name) if path.is_file()]
        if paths:
            # The uppermost: copies may lie below.
            found[name] = min(paths, key=lambda path: (len(path.parts), path)).read_bytes()
    return found


def _in_tar(archive: Path, names: Collection[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            name = member.name.rsplit("/", 1)[-1]
            if name in names and member.isfile() and (file := tar.extractfile(member)):
                found[name] = file.read()
        # tarfile stops at the tar's end; the checksum of what is packed stands behind it.
        while tar.fileobj and tar.fileobj.read(READ_BYTES):
            pass
    return found
