"""The files below a folder, known without reading them; and what to say when one has changed."""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from shards.errors import SourceError
from shards.sources.listing import Found

EVERYTHING = "**/*"
NOT_REGULAR = "not a regular file"


def list_folder(root: Path, include: str = EVERYTHING) -> list[Found]:
    """The files below ``root`` that ``include`` matches, sorted by path; hidden ones are left out.

    Links to files are followed, and links to folders elsewhere; a link that leads to nowhere or
    into the same dataset is listed with a refusal.

    Raises:
        SourceError: no folder, no file, or a pattern that is no pattern.
    """
    if not root.is_dir():
        raise SourceError(f"{root}: no such folder; point `location` at a folder of images")
    try:
        if include == EVERYTHING:
            found = list(_walk(root, "", Path(os.path.realpath(root)), set()))
        else:  # sorted by folder, as the walk is
            parts = sorted({path.relative_to(root).parts for path in root.glob(include)})
            visible = ["/".join(name) for name in parts if not any(p[0] == "." for p in name)]
            found = [_file(root / name, name) for name in visible if not (root / name).is_dir()]
    except (ValueError, NotImplementedError) as error:
        raise SourceError(f"include {include!r} is not a glob: {error}") from error
    except OSError as error:
        raise SourceError(f"{root} cannot be listed ({error}); make it readable") from error
    if not found:
        raise SourceError(f"{root}: no file matches {include!r}")
    return found


def _walk(folder: Path, prefix: str, root: Path, followed: set[Path]) -> Iterator[Found]:
    with os.scandir(folder) as unsorted:
        entries = sorted(unsorted, key=lambda entry: entry.name)
    for entry in entries:
        if entry.name.startswith("."):
            continue
        name = f"{prefix}{entry.name}"
        if not entry.is_dir():
            yield _file(entry, name)
            continue
        if entry.is_symlink():
            target = Path(os.path.realpath(entry.path))
            if target in followed or root.is_relative_to(target) or target.is_relative_to(root):
                yield Found(name, 0, 0, "a link into the same dataset")
                continue
            followed.add(target)
        yield from _walk(Path(entry.path), f"{name}/", root, followed)


def _file(entry: "os.DirEntry[str] | Path", name: str) -> Found:
    try:
        facts = entry.stat()
    except OSError as error:
        return Found(name, 0, 0, error.strerror or "unreadable")
    refusal = None if stat.S_ISREG(facts.st_mode) else NOT_REGULAR
    # Known before it is read, so that the build after a chmod is another one.
    if refusal is None and not os.access(entry, os.R_OK):
        refusal = os.strerror(errno.EACCES)
    return Found(name, facts.st_mtime_ns, facts.st_size, refusal)


def state_of(path: Path) -> tuple[int, int]:
    """Size and time of change (ns) of a file."""
    facts = path.stat()
    return facts.st_size, facts.st_mtime_ns


def refuse_changed(path: Path, state: tuple[int, int]) -> None:
    """Raises SourceError: the ``state_of`` the file is another now."""
    if state_of(path) != state:
        raise changed(path)


def changed(path: Path | str) -> SourceError:
    """What to raise of a file that is not as it was listed: it has no place in this recipe."""
    return SourceError(f"{path} changed since it was listed; run again when nobody writes to it")
