"""Who is told of progress: a terminal, a log, or nobody. Verbs report; the caller decides."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Advance:
    """A piece of work that was done: shards built or predicted, and the images in them.

    Attributes:
        elsewhere: another run did it meanwhile, so that it need not be done here.
    """

    work: str
    shards: int
    images: int
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Outline:
    """Work that is about to begin: so many shards, of which some are there already."""

    work: str
    shards: int
    reused: int


class Listener(Protocol):
    """Is called from several threads."""

    def begin(self, outline: Outline) -> None: ...

    def advance(self, advance: Advance) -> None: ...


class _Silent:
    def begin(self, outline: Outline) -> None:
        """Nobody listens."""

    def advance(self, advance: Advance) -> None:
        """Nobody listens."""


_LISTENER: ContextVar[Listener | None] = ContextVar("progress_listener", default=None)


def listener() -> Listener:
    """The listener of this context; a silent one by default."""
    return _LISTENER.get() or _Silent()


@contextmanager
def listening(to: Listener) -> Iterator[None]:
    """Report to a listener inside the block, and in the tasks started there."""
    token = _LISTENER.set(to)
    try:
        yield
    finally:
        _LISTENER.reset(token)
