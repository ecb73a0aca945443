"""The engine process as its slot sees it: started, asked, ended.

Not a ``ProcessPoolExecutor``: that hides how a worker died, and waits for ever for the rest of an
answer whose sender was killed in the middle of it, since it keeps the sender's end of the pipe.
"""

import multiprocessing
import threading
from multiprocessing.connection import Connection

from shards.errors import NightmarkError
from tasks.slots import process
from tasks.slots.devices import Device
from tasks.slots.faults import death_words
from tasks.slots.process import Answer, ShardJob

ENDING_SECONDS = 60.0
"""For the batches in hand; then the process is killed. They are computed again either way."""


class EngineLostError(NightmarkError):
    """The process ended, or must not go on, before it had an answer; another may have one."""


class EngineProcess:
    """One spawned process that answers one job after the other."""

    def __init__(self, device: Device) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self._link: Connection[ShardJob, Answer] = ours
        self._process = context.Process(
            target=process.serve, args=(device, theirs), name=f"engine on {device}"
        )
        self._process.start()
        # So that its death is an end of file here, even in the middle of an answer.
        theirs.close()
        self._reaping = threading.Lock()
        self._has_device = False

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def is_ready(self, within: float | None) -> bool:
        """Whether it has its device, for which it waits so many seconds, or as long as it takes.

        Raises:
            EngineLostError: it ended meanwhile.
        """
        if not self._has_device and self._link.poll(within):
            self._receive()
            self._has_device = True
        return self._has_device

    def ask(self, job: ShardJob) -> Answer:
        """Its answer. Raises EngineLostError, with the reason."""
        self.is_ready(within=None)
        try:
            self._link.send(job)
        except OSError as error:
            raise self._lost() from error
        answer = self._receive()
        if answer.retired is not None:
            raise EngineLostError(answer.retired)
        return answer

    def _receive(self) -> Answer:
        try:
            return self._link.recv()
        except (EOFError, OSError) as error:
            raise self._lost() from error

    def _lost(self) -> EngineLostError:
        with self._reaping:
            self._process.join(ENDING_SECONDS)
        return EngineLostError(death_words(self._process.exitcode))

    def end(self) -> None:
        """End it after the batches in hand; whoever waits for its answer gets EngineLostError."""
        # Without waiting for what another thread does: this is how it is interrupted.
        if self._process.is_alive():
            self._process.terminate()
        with self._reaping:
            self._process.join(ENDING_SECONDS)
            if self._process.exitcode is None:
                self._process.kill()
                self._process.join()
