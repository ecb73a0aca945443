"""Tables as they look on terminals of several widths."""

import io

import pytest
from rich.console import Console

from flows.cli import console
from flows.cli.console import figures_table, print_table

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
