"""Digests of files, and of facts in their canonical form: what identities are made of."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path


def file_sha256(path: Path) -> str:
    """Hex SHA-256 of a file. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_sha256(paths: Sequence[Path]) -> str:
    """That of a single file; of several, hex SHA-256 over theirs, in order. Raises OSError."""
    digests = [file_sha256(path) for path in paths]
    return digests[0] if len(digests) == 1 else facts_sha256(digests)


def facts_sha256(facts: object) -> str:
    """Hex SHA-256 of anything that JSON can say; equal facts give equal digests, in any order."""
    canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
