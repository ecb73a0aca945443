"""``nightmark serve`` in a process of its own, what it tells others, and questions to it."""

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import torch
from safetensors.torch import save_file

REPOSITORY = Path(__file__).parents[2]
T = TypeVar("T")
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
BUSY_SECONDS = 60.0
PROMPT = {"PREFECT_WORKER_QUERY_SECONDS": "2"}
"""A worker that asks for work sooner than after ten seconds: half of what a short run takes."""


@dataclass
class Served:
    """A running ``nightmark serve``: what it printed, what it posted, and its server's API."""

    folder: Path
    port: int
    process: "subprocess.Popen[str]"
    lines: list[str] = field(default_factory=list)
    posted: list[str] = field(default_factory=list)

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def api(self, method: str, path: str, **words: Any) -> Any:
        """What the server answers; a busy one is asked again, as Prefect's own client does."""
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            with suppress(httpx.ReadTimeout):
                answer = httpx.request(method, f"{self.base}/api/{path}", timeout=20, **words)
                if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                    answer.raise_for_status()
                    return answer.json() if answer.content else None
            if time.monotonic() > deadline:
                raise AssertionError(f"the server was too busy for {path}, {BUSY_SECONDS:.0f} s on")
            time.sleep(0.5)

    def runs(self, flow: str) -> list[dict[str, Any]]:
        """The runs of a flow that have begun, the oldest first."""
        wanted = {"flows": {"name": {"any_": [flow]}}, "sort": "EXPECTED_START_TIME_ASC"}
        found = self.api("POST", "flow_runs/filter", json=wanted)
        return [run for run in found if run["start_time"]]

    def deployment(self, name: str) -> str:
        return str(self.api("GET", f"deployments/name/{name}/{name}")["id"])

    def begin(self, name: str, **parameters: object) -> str:
        """Run a deployment now; the id of its run."""
        asked = {
            "parameters": parameters,
            "state": {"type": "SCHEDULED"},
            # Asked twice, it is begun once.
            "idempotency_key": uuid.uuid4().hex,
        }
        path = f"deployments/{self.deployment(name)}/create_flow_run"
        return str(self.api("POST", path, json=asked)["id"])

    def ended(self, run: str, seconds: float = 120) -> dict[str, Any]:
        """The run, once it has ended."""

        def look() -> dict[str, Any] | None:
            found: dict[str, Any] = self.api("GET", f"flow_runs/{run}")
            return found if found["state_type"] in ENDED else None

        return self.wait(look, seconds, f"run {run} to end")

    def wait(self, look: Callable[[], T | None], seconds: float, what: str) -> T:
        """What ``look`` finds in time; a server that is away is asked again."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if found := look():
                    return found
            except httpx.HTTPError:
                pass
            time.sleep(0.5)
        said = "\n".join(self.lines)
        raise AssertionError(f"waited {seconds} s for {what}; serve printed:\n{said}")

    def told(self, *words: str) -> list[str]:
        """The posted texts with all of these words. Others may be told meanwhile: a slow machine
        begins a run late."""
        return [text for text in self.posted if all(word in text for word in words)]

    def nights(self) -> list[dict[str, Any]]:
        """The records of the nights, the oldest first."""
        return [
            json.loads(file.read_text()) for file in sorted(self.root.glob("nights/*/night.json"))
        ]

    def process_of(self, words: str) -> int | None:
        """A process of this household whose command line has these words."""
        return next((pid for pid, command in members(self.folder) if words in command), None)


def slowly(folder: Path) -> list[str]:
    """Overrides by which the plan's first model takes 0.4 seconds for each image."""
    weights = folder / "one.safetensors"
    save_file({"weight": torch.zeros(1)}, weights)
    return [
        "models.0.loader=module:tests.support.faulty_models:slow",
        "models.0.arguments={}",
        f"models.0.weights={weights}",
        "runtime.batch_size=1",
    ]


def without_settings() -> dict[str, str]:
    """The environment without what would set Prefect or nightmark otherwise."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "NIGHTMARK"))}


@contextmanager
def serving(folder: Path, plan: Path, port: int, cron: str, **environment: str) -> Iterator[Served]:
    """Serve a plan; whatever is left of it is killed at the end."""
    with receiver() as (address, posted):
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "flows", "serve", str(plan)),
                *("--cron", cron, "--port", str(port), "--notify", address),
                *("--home", str(folder / "prefect")),
            ],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={
                **without_settings(),
                "NIGHTMARK_ROOT": str(folder / "root"),
                "TMPDIR": str(folder),
                **PROMPT,
                # A run in the worker's process can import the models of the tests.
                "PYTHONPATH": str(REPOSITORY),
                **environment,
            },
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )
        served = Served(folder, port, process, posted=posted)
        threading.Thread(target=_listen, args=(process, served.lines), daemon=True).start()
        try:
            served.wait(
                lambda: any("Ctrl-C ends" in line for line in served.lines), 180, "serve to begin"
            )
            yield served
        finally:
            process.kill()
            process.wait()
            for pid, _ in members(folder):
                os.kill(pid, signal.SIGKILL)


def members(folder: Path) -> list[tuple[int, str]]:
    """The processes whose environment names a folder, and their command lines."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if str(folder).encode() in (entry / "environ").read_bytes():
                    command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    found.append((int(entry.name), command))
            except OSError:  # it has ended, or is not ours
                continue
    return [(pid, command) for pid, command in found if command]


@contextmanager
def receiver() -> Iterator[tuple[str, list[str]]]:
    """The address of a webhook, and the texts that are posted there."""
    posted: list[str] = []

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", posted
    finally:
        server.shutdown()
        server.server_close()


def _listen(process: "subprocess.Popen[str]", lines: list[str]) -> None:
    assert process.stdout is not None
    lines.extend(line.rstrip() for line in process.stdout)
