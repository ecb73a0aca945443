"""The page of a comparison says what its record says."""

import html
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from shards.store import Store
from tasks.comparisons import compare_stored, store_comparison
from tasks.metrics.comparison import Comparison
from tasks.report.compare_page import write_comparison_page
from tasks.report.compare_view import CompareView, compare_view
from tests.support.nights_to_open import HOSTILE
from tests.support.stored import logits, pair_name, store_evaluation

NAMES = ("cat", "dog", HOSTILE, "never")
TARGETS = np.random.default_rng(2).integers(0, 3, 400)


@dataclass(frozen=True)
class Compared:
    store: Store
    comparison: Comparison
    view: CompareView


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Compared:
    store = Store.at(tmp_path_factory.mktemp("compared"))
    better = logits(TARGETS, len(NAMES), 3.0, seed=1)
    worse = better.copy()
    worse[TARGETS == 1, 0] += np.float32(3)
    old = store_evaluation(store, pair_name("old"), better, TARGETS.tolist(), names=NAMES)
    new = store_evaluation(store, pair_name("new"), worse, TARGETS.tolist(), names=NAMES)
    comparison, changed = compare_stored(store, old, new)
    store_comparison(store, comparison, changed)
    return Compared(store, comparison, compare_view(comparison, {}))


def test_the_answer_comes_first_and_the_figures_are_those_of_the_record(compared: Compared) -> None:
    view, record = compared.view, compared.comparison
    assert (view.title, view.direction) == ("new against old", "worse")
    assert view.conclusion.startswith("new is worse than old")
    assert [row.sortable for row in view.overall] == [c.difference for c in record.overall]
    falls = [row.sortable for row in view.classes if row.sortable is not None]
    assert falls == sorted(falls)
    assert view.classes[0].name == "dog"
    assert view.classes[0].direction == "worse"
    assert {row.direction for row in view.classes if row.name == "cat"} == {"not shown"}
    assert (len(view.broken), view.broken_total) == (min(record.broken, 50), record.broken)
    assert view.broken[0].key == record.broken_samples[0].key
    assert view.chart is not None
    drawn = json.loads(str(view.chart.figure))["data"][0]
    assert drawn["x"] == pytest.approx([100 * fall for fall in falls])


def test_losses_are_better_when_they_fall(compared: Compared) -> None:
    rows = {row.name: row for row in compared.view.overall}
    nll = next(row for name, row in rows.items() if "log" in name.lower() or "nll" in name.lower())
    assert nll.sortable is not None
    assert nll.sortable > 0
    assert nll.direction == "worse"


def test_the_page_lies_whole_beside_the_record_and_names_run_nothing(compared: Compared) -> None:
    page = Path(write_comparison_page(compared.store, compared.comparison))
    text = page.read_text()
    assert HOSTILE not in text
    assert (page.parent / "comparison.json").is_file()
    assert (page.parent / "assets" / "page.js").is_file()
    assert compared.view.conclusion in html.unescape(text)
    assert "Images cannot be shown" in text, "no shards were ever built"
    assert text.count('class="shot"') == len(compared.view.broken) + len(compared.view.fixed)


def test_an_evaluation_against_itself_has_no_chart(compared: Compared) -> None:
    store = compared.store
    same = store_evaluation(
        store,
        pair_name("same"),
        logits(TARGETS, len(NAMES), 3.0, seed=1),
        TARGETS.tolist(),
        names=NAMES,
    )
    comparison, _ = compare_stored(store, same, same)
    view = compare_view(comparison, {})
    assert view.chart is None
    assert (view.direction, view.broken, view.fixed) == ("not shown", (), ())
