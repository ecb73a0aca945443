"""The part of the Hugging Face hub's protocol that reads models, on this machine alone."""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

LARGE = ".safetensors"
"""Files that the hub keeps as large ones, with their SHA-256."""


@dataclass
class LoopbackHub:
    """Repositories, their commits and branches; requests are written down."""

    url: str = ""
    commits: dict[str, Mapping[str, bytes]] = field(default_factory=dict)
    branches: dict[tuple[str, str], str] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)

    def commit(self, repository: str, files: Mapping[str, bytes], branch: str = "main") -> str:
        """Commit these files to a branch; the commit's digest."""
        facts = [repository, branch, len(self.commits), sorted(map(str, files.items()))]
        sha = hashlib.sha1(json.dumps(facts).encode(), usedforsecurity=False).hexdigest()
        self.commits[sha] = files
        self.branches[repository, branch] = sha
        return sha

    def resolve(self, repository: str, revision: str) -> str | None:
        return revision if revision in self.commits else self.branches.get((repository, revision))

    def fetched(self) -> list[str]:
        """The paths of the files that were sent."""
        sent = [line for line in self.requests if line.startswith("GET") and "/resolve/" in line]
        return [line.partition("/resolve/")[2].partition("/")[2] for line in sent]


@contextmanager
def serving_hub() -> Iterator[LoopbackHub]:
    hub = LoopbackHub()

    class Handler(_Handler):
        served = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    served: LoopbackHub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        """Not on the terminal of the tests."""

    def _answer(self) -> None:
        path = urlsplit(self.path).path
        self.served.requests.append(f"{self.command} {path}")
        parts = [unquote(part) for part in path.strip("/").split("/")]
        if parts[:2] == ["api", "models"]:
            self._describe("/".join(parts[2:4]), parts[5] if len(parts) > 5 else "main")
        else:
            self._send_file("/".join(parts[:2]), parts[3], "/".join(parts[4:]))

    def _describe(self, repository: str, revision: str) -> None:
        sha = self.served.resolve(repository, revision)
        if sha is None:
            self._refuse("RevisionNotFound")
            return
        siblings = [_sibling(name, content) for name, content in self.served.commits[sha].items()]
        said = {"_id": "1", "id": repository, "sha": sha, "siblings": siblings}
        self._send(json.dumps(said).encode(), {"Content-Type": "application/json"})

    def _send_file(self, repository: str, revision: str, name: str) -> None:
        sha = self.served.resolve(repository, revision)
        content = None if sha is None else self.served.commits[sha].get(name)
        if sha is None or content is None:
            self._refuse("EntryNotFound")
            return
        etag = f'"{_digest(content)}"'
        self._send(content, {"X-Repo-Commit": sha, "ETag": etag, "X-Linked-ETag": etag})

    def _refuse(self, code: str) -> None:
        self._send(b"", {"X-Error-Code": code}, status=404)

    def _send(self, content: bytes, headers: Mapping[str, str], status: int = 200) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _sibling(name: str, content: bytes) -> dict[str, object]:
    header = f"blob {len(content)}\0".encode()
    blob = hashlib.sha1(header + content, usedforsecurity=False).hexdigest()
    found: dict[str, object] = {"rfilename": name, "size": len(content), "blobId": blob}
    if name.endswith(LARGE):
        large = {"sha256": _digest(content), "size": len(content), "pointerSize": 130}
        found["lfs"] = large
    return found
