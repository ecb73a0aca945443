"""``nightmark compare`` on stored evaluations."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from shards.store import Store
from tests.support.stored import logits, pair_name, store_evaluation

Command = Callable[..., int]
TARGETS = np.arange(400) % 4


def evaluated(root: Path, model: str, skill: float) -> None:
    scores = logits(TARGETS, 4, skill=skill, seed=int(skill * 10))
    store_evaluation(Store.at(root), pair_name(model), scores, TARGETS.tolist())


def test_two_evaluations_are_compared_in_words_and_figures(
    root: Path, nightmark: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluated(root, "old", 1.0)
    evaluated(root, "new", 3.0)
    assert nightmark("compare", "made/test/old", "made/test/new", "--list", "2") == 0
    printed = capsys.readouterr().out
    assert "new is better than old: top-1 accuracy +" in printed
    assert "Both were measured on the same images; 400 labelled images count." in printed
    assert "Top-1 accuracy" in printed
    assert "recall that changed; at most 5 % of such claims are false" in printed
    assert "class 0: recall +" in printed
    assert "Fixed, the surest mistakes of the baseline first" in printed
    assert len(list(root.glob("comparisons/made/test/new/*/comparison.json"))) == 1
    assert not list(root.glob("comparisons/made/test/new/*/index.html"))


def test_a_page_is_written_where_the_command_says(
    root: Path, nightmark: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluated(root, "old", 1.0)
    evaluated(root, "new", 3.0)
    assert nightmark("compare", "made/test/old", "made/test/new", "--html") == 0
    (page,) = root.glob("comparisons/made/test/new/*/index.html")
    assert page.parent.name in capsys.readouterr().out
    assert "new is better than old: top-1 accuracy +" in page.read_text()


def test_a_page_is_written_into_a_folder_of_ones_own(
    root: Path, nightmark: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluated(root, "old", 1.0)
    evaluated(root, "new", 3.0)
    to = tmp_path / "mailed"
    assert nightmark("compare", "made/test/old", "made/test/new", "--to", to) == 0
    assert f"{to / 'index.html'}" in capsys.readouterr().out.replace("\n", "")
    assert (to / "assets" / "page.js").is_file()
    (to / "comparison.json").unlink()
    assert nightmark("compare", "made/test/old", "made/test/new", "--to", to) == 2
    assert "holds something else" in capsys.readouterr().err


def test_what_is_not_comparable_is_one_line_and_code_2(
    root: Path, nightmark: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluated(root, "old", 1.0)
    assert nightmark("compare", "made/test/old", "made/test/gone") == 2
    assert "has no evaluation of made/test/gone" in capsys.readouterr().err
