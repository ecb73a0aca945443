"""The report says what the scorings say, and keeps nothing quiet."""

from datetime import timedelta

import pytest

from tasks.gates.baseline import compared_with
from tasks.gates.gate import Gate
from tasks.gates.judging import judge
from tasks.metrics.change import paired_change
from tasks.metrics.metric import STATE_SENTENCES, Metric
from tasks.metrics.words import class_labels, figure
from tasks.night import SEVERITY, SkippedNote
from tasks.records import Pair
from tasks.report.build import LISTED_SKIPPED, build_report
from tasks.report.findings import finding_row
from tasks.report.view import PairView
from tasks.report.words import STATES, Figure, duration_text, figure_of
from tests.support.compared import comparison, top1
from tests.tasks.report.nights import (
    MISSING,
    NAMES,
    NightCase,
    cifar,
    judged,
    make_night,
    make_scoring,
)


def written(metric: Metric) -> Figure:
    """Independently of the report: a value with its interval, or the state."""
    if metric.value is None:
        return Figure(STATE_SENTENCES[metric.state], defined=False)
    assert metric.low is not None
    assert metric.high is not None
    low, high = (figure(metric.name, x).removesuffix(" %") for x in (metric.low, metric.high))
    return Figure(figure(metric.name, metric.value), f"[{low}, {high}]")


def test_every_figure_is_the_scorings(case: NightCase) -> None:
    for view in (v for v in case.report.pairs if v.scoring is not None):
        scoring = case.scorings[str(view.pair)]
        assert view.top1 == written(scoring.metric("top1"))
        assert view.top5 == written(scoring.metric("top5"))
        assert view.n == f"{scoring.n:,}"
        assert [row.name for row in view.overall] == [m.name for m in scoring.overall]
        assert [row.figure for row in view.overall] == [written(m) for m in scoring.overall]
        for row in view.classes:
            precision, recall, f1, *_ = scoring.of_class(row.index)
            assert (row.precision, row.recall, row.f1) == tuple(
                map(written, (precision, recall, f1))
            )
            assert row.support == f"{scoring.support[row.index]:,}"


def test_figures_read_as_percent_with_brackets() -> None:
    assert str(figure_of(Metric.proportion("top1", 850, 1_000))) == "85.0 % [82.7, 87.1]"
    assert str(figure_of(Metric(name="nll", value=1.25, n=1))) == "1.25 (too few for an interval)"


def test_pairs_come_worst_first_and_the_tally_counts_them(case: NightCase) -> None:
    report = case.report
    assert [view.state.state for view in report.pairs] == list(SEVERITY)
    assert [(word.state, count) for word, count in report.tally] == [(s, 1) for s in SEVERITY]
    assert report.headline == "No, 1 of 5 pairs failed"


def test_a_pair_without_scoring_keeps_its_message(case: NightCase) -> None:
    view = case.report.of(cifar("lost"))
    assert (view.sentence, view.scoring, view.overall, view.classes) == (MISSING, None, (), ())
    assert not view.top1.defined
    assert case.report.of(cifar("cut")).sentence == "2 of 4 shards are missing"


def test_the_decisive_sentence_is_that_of_the_gate_that_failed(case: NightCase) -> None:
    outcome = next(o for o in case.night.outcomes if o.state == "failed")
    failed = [v for v in outcome.verdicts if v.state == "failed" and v.gate.severity == "fail"]
    assert case.report.of(outcome.pair).sentence.startswith(failed[0].sentence)


def test_failed_images_unlabelled_ones_and_warnings_are_noted(case: NightCase) -> None:
    warning, failed, unlabelled = case.report.of(cifar("bad")).notes
    assert warning.startswith("Warning: Negative log-likelihood is ")
    assert failed.startswith("12 images could not be predicted; with all of them wrong top-1 is ")
    assert unlabelled.startswith("5 images have no label")


def test_a_gate_that_may_only_warn_does_not_look_failed(case: NightCase) -> None:
    finding = case.report.of(cifar("bad")).findings[-1]
    assert finding.warns_only
    assert finding.state == STATES["warning"]


def test_classes_are_sorted_by_recall_and_absent_ones_have_their_state(case: NightCase) -> None:
    view = case.report.of(Pair(dataset="photos", split="val", model="broad"))
    scoring = case.scorings[str(view.pair)]
    recalls = {m.class_index: m.value for m in scoring.per_class if m.name == "recall"}
    shown = [recalls[row.index] for row in view.classes]
    present = [value for value in shown if value is not None]
    assert present == sorted(present)
    assert shown[len(present) :] == [None] * (len(NAMES) - len(present))
    assert view.classes[-1].recall.text == STATE_SENTENCES["absent_class"]
    assert view.class_note == "9 of 10 classes have samples; the others are listed last."


def test_a_class_that_was_never_predicted_says_so() -> None:
    scoring = make_scoring(cifar("one"), NAMES, n=12, skill=0.0, seed=1)
    view = _only(NightCase(make_night((judged(scoring),)), {str(scoring.pair): scoring}))
    texts = [row.precision.text for row in view.classes]
    assert STATE_SENTENCES["never_predicted"] in texts


def test_of_a_thousand_classes_only_those_present_are_listed(thousand: NightCase) -> None:
    view = _only(thousand)
    assert view.scoring is not None
    present = sum(support > 0 for support in view.scoring.support)
    assert len(view.classes) == present
    assert view.class_note.startswith(f"{present} of 1,000 classes have samples")
    assert {"crane (id0000)", "crane (id0001)"} <= {row.label for row in view.classes}


def test_labels_tell_classes_of_one_name_apart() -> None:
    labels = class_labels(("crane", "kite", "crane"), ("n1", "n2", "n3"))
    assert labels == ("crane (n1)", "kite", "crane (n3)")


def test_the_most_confused_are_the_largest_cells(case: NightCase) -> None:
    view = case.report.of(cifar("bad"))
    assert view.scoring is not None
    largest = max(count for target, said, count in view.scoring.confusion if target != said)
    first = view.confused[0]
    support = view.scoring.support[NAMES.index(first.target)]
    assert first.count == f"{largest} of {support}"
    assert first.share == figure("recall", largest / support)


def test_failing_classes_are_listed_with_what_is_not_listed() -> None:
    scoring = make_scoring(cifar("weak"), tuple(f"c{i}" for i in range(12)), n=2_000, skill=0.0)
    outcome = judged(scoring, (Gate(metric="recall", scope="each_class", min=0.5),))
    finding = _only(NightCase(make_night((outcome,)), {str(scoring.pair): scoring})).findings[0]
    assert len(finding.failing) == 10
    assert finding.unlisted == 2
    assert finding.failing[0].split(" ", 1)[0] in finding.sentence


def test_skipped_entries_of_a_split_are_named_once_and_counted(case: NightCase) -> None:
    assert [(g.split, g.total) for g in case.report.skipped] == [
        ("cifar10/test", 1),
        ("photos/val", 1),
    ]
    notes = tuple(SkippedNote(source_name=f"{i}.png", reason="broken") for i in range(60))
    outcome = case.night.outcomes[0].model_copy(update={"skipped": notes})
    (group,) = build_report(make_night((outcome,)), case.scorings).skipped
    assert (group.total, len(group.shown), group.unlisted) == (60, LISTED_SKIPPED, 10)


def test_work_is_summed(case: NightCase) -> None:
    work = case.report.work
    assert (work.computed, work.reused, work.images) == ("9 shards", "3 shards", "4,500 images")
    assert case.report.of(cifar("lost")).work.rate == ""


def test_an_empty_night_is_no_pass() -> None:
    report = build_report(make_night(()), {})
    assert (report.state.state, report.headline) == ("incomplete", "Nothing was evaluated")


def test_a_foreign_pair_is_refused(case: NightCase) -> None:
    with pytest.raises(KeyError, match="is no pair of the night"):
        case.report.of(cifar("stranger"))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(4.21, "4.2 s"), (59.97, "1 min 00 s"), (192, "3 min 12 s"), (7_500, "2 h 05 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration_text(timedelta(seconds=seconds)) == text


def _only(case: NightCase) -> PairView:
    (view,) = case.report.pairs
    return view


def test_classes_that_fell_are_listed_with_their_fall(case: NightCase) -> None:
    scoring = case.scoring("good")
    falls = tuple(
        paired_change("recall", (10, 10 + lost), (0, lost), 50, 0.001, index, 0.01)
        for index, lost in ((3, 40), (5, 30))
    )
    compared = compared_with(comparison(top1(0, 70), per_class=falls), "d")
    gate = Gate(metric="recall", scope="each_class", max_drop=0.1)
    row = finding_row(judge(gate, scoring, compared), scoring)
    assert row.failing == ("cat −80.0 points", "dog −60.0 points")
    assert row.state.state == "failed"
    assert row.terms.endswith("on the change against the baseline; 2 classes judged")


def test_what_persons_accepted_and_the_baseline_are_notes(case: NightCase) -> None:
    note = compared_with(comparison(top1(30, 22)), "d").note
    outcomes = tuple(o.model_copy(update={"comparison": note}) for o in case.night.outcomes)
    accepted = {str(case.pair("bad")): ("Accepted although it failed: Ada.",)}
    night = case.night.model_copy(update={"outcomes": outcomes})
    view = build_report(night, case.scorings, accepted).of(case.pair("bad"))
    assert view.notes[:2] == ("Accepted although it failed: Ada.", note.sentence)
    assert (
        "+0.8 points (95 % interval −0.6 to +2.3), 30 fixed, 22 broken, p = 0.33" in note.sentence
    )
    assert view.state.state == "failed"
