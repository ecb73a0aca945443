import contextvars
import threading

import pytest

from tasks.progress import Advance, Outline, listener, listening


class Notebook:
    def __init__(self) -> None:
        self.heard: list[Outline | Advance] = []

    def begin(self, outline: Outline) -> None:
        self.heard.append(outline)

    def advance(self, advance: Advance) -> None:
        self.heard.append(advance)


BEGIN, STEP = Outline("infer", shards=3, reused=1), Advance("infer", shards=1, images=10)


def test_nobody_listens_by_default() -> None:
    listener().begin(BEGIN)
    listener().advance(STEP)


def test_a_listener_hears_what_happens_inside() -> None:
    outer, inner = Notebook(), Notebook()
    with listening(outer):
        listener().begin(BEGIN)
        with listening(inner):
            listener().advance(STEP)
        listener().advance(STEP)
    listener().advance(STEP)
    assert outer.heard == [BEGIN, STEP]
    assert inner.heard == [STEP]


def test_it_ends_with_an_error_too() -> None:
    book = Notebook()
    with pytest.raises(RuntimeError, match="mine"), listening(book):
        raise RuntimeError("mine")
    listener().advance(STEP)
    assert not book.heard


def test_threads_that_carry_the_context_are_heard() -> None:
    book = Notebook()
    with listening(book):
        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(lambda: listener().advance(STEP),))
        thread.start()
        thread.join()
    assert book.heard == [STEP]
