"""Tables as they look on terminals of several widths."""

import io

import pytest
from rich.console import Console

from flows.cli import console
from flows.cli.console import figures_table, print_table
from tasks.progress import Advance, Outline, listener

NAME = "a-model-with-a-rather-long-name-of-its-own"
FIGURES = ("83.8 %", "81.4 to 86.0", "99.7 %", "99.1 to 99.9", "1,000,000", "inconclusive")


def printed(monkeypatch: pytest.MonkeyPatch, width: int) -> list[str]:
    file = io.StringIO()
    monkeypatch.setattr(console, "OUT", Console(file=file, width=width))
    table = figures_table(names=("dataset", "model"), figures=("a", "b", "c", "d", "e", "f"))
    table.add_row("cifar10-train/train", NAME, *FIGURES)
    print_table(table)
    return file.getvalue().splitlines()


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    lines = printed(monkeypatch, width)
    assert any(all(figure in line for figure in FIGURES) for line in lines)
    assert "…" not in "".join(lines)
    shown = "".join(("dataset", "model", "abcdef", "cifar10-train/train", NAME, *FIGURES))
    assert sorted("".join("".join(lines).split())) == sorted(shown.replace(" ", ""))
    assert max(map(len, lines)) <= max(width, console.LEAST_WIDTH)


def test_names_are_not_folded_where_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    assert NAME in printed(monkeypatch, 150)[1]


def test_a_terminal_shows_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr(console, "OUT", Console(file=file, width=120, force_terminal=True))
    with console.showing_progress():
        listener().begin(Outline("infer d/test/m", shards=4, reused=1))
        for _ in range(2):
            listener().advance(Advance("infer d/test/m", shards=1, images=5))
    shown = file.getvalue()
    assert "infer d/test/m" in shown
    assert "3 of 4 shards, " in shown
    assert "images/s, about 5 s left (until " in shown


def test_a_log_has_a_line_for_every_tenth(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr(console, "OUT", Console(file=file, width=120))
    with console.showing_progress():
        listener().begin(Outline("infer d/test/m", shards=1000, reused=500))
        for _ in range(500):
            listener().advance(Advance("infer d/test/m", shards=1, images=5))
    lines = file.getvalue().splitlines()
    assert lines[0] == "infer d/test/m: 1000 shards, 500 already there"
    assert len(lines) == 6
    assert lines[-1].startswith("infer d/test/m: 1,000 of 1,000 shards, ")
