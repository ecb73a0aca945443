"""The page of a comparison says what its record says."""

import html
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from shards.errors import InputError
from shards.store import Store
from tasks.comparisons import compare_stored, store_comparison
from tasks.metrics.change import paired_change
from tasks.metrics.comparison import Comparison
from tasks.metrics.metric import Metric
from tasks.metrics.words import figure
from tasks.report.change_chart import change_chart
from tasks.report.compare_page import write_comparison_page
from tasks.report.compare_view import CompareView, compare_view
from tasks.report.words import figure_of
from tests.support.nights_to_open import HOSTILE
from tests.support.stored import logits, pair_name, store_evaluation

NAMES = ("cat", "dog", HOSTILE, "never")
TARGETS = np.random.default_rng(2).integers(0, 3, 400)


@dataclass(frozen=True)
class Compared:
    store: Store
    comparison: Comparison
    changed: pa.Table
    view: CompareView


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Compared:
    store = Store.at(tmp_path_factory.mktemp("compared"))
    better = logits(TARGETS, len(NAMES), 3.0, seed=1)
    worse = better.copy()
    worse[TARGETS == 1, 0] += np.float32(3)
    worse[TARGETS == 2, 2] += np.float32(0.5)
    old = store_evaluation(store, pair_name("old"), better, TARGETS.tolist(), names=NAMES)
    new = store_evaluation(store, pair_name("new"), worse, TARGETS.tolist(), names=NAMES)
    comparison, changed = compare_stored(store, old, new)
    store_comparison(store, comparison, changed)
    return Compared(store, comparison, changed, compare_view(comparison, changed, {}))


def test_the_answer_comes_first_and_the_figures_are_those_of_the_record(compared: Compared) -> None:
    view, record = compared.view, compared.comparison
    assert (view.title, view.direction) == ("new against old", "worse")
    assert view.conclusion.startswith("new is worse than old")
    assert [row.change for row in view.overall] == list(record.overall)
    falls = [row.change.difference for row in view.classes]
    assert falls == sorted(falls)
    assert view.classes[0].name == "dog"
    assert view.classes[0].direction == "worse"
    assert {row.direction for row in view.classes if row.name == "cat"} == {"not shown"}
    assert (len(view.broken), view.broken_total) == (min(record.broken, 50), record.broken)
    assert view.broken[0].key == record.broken_samples[0].key


def test_the_word_of_a_class_is_that_of_the_corrected_decision(compared: Compared) -> None:
    """A class whose own interval leaves out 0 is no change if it does not hold among all."""
    dog, cat = compared.view.classes[0].change, compared.comparison.per_class[0]
    alone = paired_change("recall", (90, 100), (2, 12), 130, 0.013, class_index=0, q=0.052)
    assert alone.is_shown
    record = compared.comparison.model_copy(update={"per_class": (alone, dog)})
    view = compare_view(record, compared.changed, {})
    words = {row.name: row.direction for row in view.classes}
    assert words == {"cat": "not shown", "dog": "worse"}
    assert view.classes_text.startswith("Of 2 classes, 1 has a recall that changed")
    assert {row.name: row.q for row in view.classes}["cat"] == "0.052"
    chart = change_chart(record, view.classes)
    assert chart is not None
    drawn = {trace["name"]: trace for trace in json.loads(chart.figure)["data"]}
    assert drawn["worse"]["x"] == pytest.approx([100 * (dog.difference or 0.0)])
    assert drawn["no change shown"]["y"] == [1]
    assert cat.class_index == 0


def test_the_chart_has_every_class_with_its_interval(compared: Compared) -> None:
    chart = change_chart(compared.comparison, compared.view.classes)
    assert chart is not None
    traces = json.loads(chart.figure)["data"]
    drawn = {
        row: (x, x - down, x + up)
        for trace in traces
        for row, x, down, up in zip(
            trace["y"],
            trace["x"],
            trace["error_x"]["arrayminus"],
            trace["error_x"]["array"],
            strict=True,
        )
    }
    for row, shown in enumerate(compared.view.classes):
        change = shown.change
        assert drawn[row] == pytest.approx(
            [100 * (end or 0.0) for end in (change.difference, change.low, change.high)]
        )
    assert len(drawn) == len(compared.view.classes)


def test_of_many_classes_the_largest_falls_and_gains_are_drawn(compared: Compared) -> None:
    names = tuple(f"class {index}" for index in range(100))
    changes = tuple(
        paired_change("recall", (90, 90), (max(d, 0), max(-d, 0)), 100, 0.5, index, 1.0)
        for index, d in enumerate([*range(-30, 0), *[0] * 68, 5, 6])
    )
    record = compared.comparison.model_copy(
        update={"per_class": changes, "class_names": names, "class_ids": names}
    )
    view = compare_view(record, compared.changed.slice(0, 0), {})
    chart = change_chart(record, view.classes)
    assert chart is not None
    assert "Drawn are the 25 largest falls and 2 largest gains of 100 classes." in chart.caption
    [trace] = json.loads(chart.figure)["data"]
    assert trace["x"] == pytest.approx([*range(-30, -5), 5, 6])
    unchanged = record.model_copy(update={"per_class": changes[30:98]})
    assert change_chart(unchanged, compare_view(unchanged, compared.changed, {}).classes) is None


def test_losses_are_better_when_they_fall(compared: Compared) -> None:
    [nll] = [row for row in compared.view.overall if row.change.metric == "nll"]
    assert nll.change.difference is not None
    assert nll.change.difference > 0
    assert nll.direction == "worse"


def test_agreement_and_churn_have_n_and_an_interval(compared: Compared) -> None:
    record = compared.comparison
    rows = {row.name: row for row in compared.view.shares}
    churn, same = rows["Another first answer"], rows["Same first answer"]
    assert record.churn.hits is not None
    assert record.churn.low is not None
    assert churn.images == f"{record.churn.hits}"
    assert (churn.share, churn.n) == (figure_of(record.churn), f"{record.churn.n}")
    assert same.images == f"{record.churn.n - record.churn.hits}"
    assert f"{100 * (1 - record.churn.low):.1f}]" in same.share.interval
    counts = [rows[name].images for name in ("Both right", "Fixed", "Broken", "Both wrong")]
    assert [int(count) for count in counts] == [
        *(record.both_right, record.fixed, record.broken, record.both_wrong)
    ]
    assert sum(map(int, counts)) == record.n == int(rows["Fixed"].n)


def test_without_a_common_image_the_shares_say_so(compared: Compared) -> None:
    nothing = {"churn": Metric.undefined("churn", "no_samples"), "n": 0}
    record = compared.comparison.model_copy(update=nothing)
    rows = compare_view(record, compared.changed.slice(0, 0), {}).shares
    assert not any(row.share.defined for row in rows)


def test_a_sample_has_the_answers_of_both_sides(compared: Compared) -> None:
    rows = compared.changed.to_pylist()
    broken = [row for row in rows if row["change"] == "broken"]
    fixed = [row for row in rows if row["change"] == "fixed"]
    for shots, wanted, mistaken, right in (
        (compared.view.broken, broken, "candidate", "baseline"),
        (compared.view.fixed, fixed, "baseline", "candidate"),
    ):
        assert shots
        for shot, row in zip(shots, wanted, strict=False):
            assert shot.key == row["key"]
            wrong, good = shot.answers
            assert (wrong.side, wrong.is_right) == (mistaken, False)
            assert (good.side, good.is_right) == (right, True)
            assert wrong.said == NAMES[row[f"{mistaken}_prediction"]] != shot.shows
            assert good.said == shot.shows
            assert wrong.share == figure("", row[f"{mistaken}_confidence"])
            assert good.share == figure("", row[f"{right}_confidence"])


def test_a_folder_gets_the_whole_page_and_nothing_of_another_is_overwritten(
    compared: Compared, tmp_path: Path
) -> None:
    to = tmp_path / "mail" / "it"
    page = Path(write_comparison_page(compared.store, compared.comparison, str(to)))
    assert page == to / "index.html"
    (to / "images").mkdir()
    (to / "images" / "of-another.png").write_bytes(b"old")
    assert write_comparison_page(compared.store, compared.comparison, str(to)) == str(page)
    kept = compared.comparison.candidate.pair.name.comparison(compared.comparison.id)
    beside = {file.path.removeprefix(f"{kept}/") for file in compared.store.files(kept)}
    there = {path.relative_to(to).as_posix() for path in to.rglob("*") if path.is_file()}
    assert there == beside >= {"index.html", "comparison.json", "changed.parquet"}
    other = tmp_path / "notes"
    other.mkdir()
    (other / "diary.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds something else \(diary.txt\)"):
        write_comparison_page(compared.store, compared.comparison, str(other))
    assert [path.name for path in other.iterdir()] == ["diary.txt"]


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
    comparison, changed = compare_stored(store, same, same)
    view = compare_view(comparison, changed, {})
    assert change_chart(comparison, view.classes) is None
    assert (view.direction, view.broken, view.fixed) == ("not shown", (), ())
