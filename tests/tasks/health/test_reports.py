"""Findings on the pages, in Markdown and line by line; names from outside stay text."""

from tasks.health.finding import ConfusedPair, Evidence, Finding, ImagePair, Suspect
from tasks.health.words import SHOWN, evidence_lines
from tasks.report.health import health_rows
from tasks.report.html import evaluation_page, night_page
from tasks.report.markdown import night_markdown
from tests.tasks.report.nights import NAMES, NightCase, cifar, judged, make_night, make_scoring

HOSTILE = "<script>alert(1)</script>"


def leak() -> Finding:
    pair = ImagePair(key=HOSTILE, other="t", copy_kind="near", distance=0.25, mirrored=True)
    evidence = Evidence(pairs=(pair,), pairs_total=1)
    return Finding.warning("leakage", f"{HOSTILE} is in training.", evidence, "Take it out.")


def night_with(*findings: Finding) -> NightCase:
    scoring = make_scoring(cifar("good"), NAMES, n=200, skill=4.5)
    outcome = judged(scoring).model_copy(update={"findings": findings})
    return NightCase(make_night((outcome,)), {str(scoring.pair): scoring})


def test_a_warning_is_on_every_page_and_is_only_text() -> None:
    report = night_with(leak()).report
    pages = (night_page(report), evaluation_page(report, cifar("good")), night_markdown(report))
    for page in pages:
        assert "&lt;script&gt;" in page
        assert "<script>alert(1)" not in page
        assert "Training images in the test set" in page


def test_what_informs_is_on_the_pairs_page_only() -> None:
    report = night_with(Finding.info("duplicates", "No image has a copy.")).report
    assert "No image has a copy." in evaluation_page(report, cifar("good"))
    assert "No image has a copy." not in night_page(report)
    assert "## Health" not in night_markdown(report)


def test_a_night_without_findings_has_no_section() -> None:
    report = night_with().report
    assert 'id="health"' not in night_page(report)
    assert 'id="health"' not in evaluation_page(report, cifar("good"))


def test_warnings_come_first_and_what_was_not_checked_last() -> None:
    rows = health_rows(
        (
            Finding.not_checked("overfitting", "why."),
            Finding.info("duplicates", "fine."),
            leak(),
        )
    )
    assert [row.word for row in rows] == ["look at this", "no warning", "not checked"]


def test_evidence_is_shown_in_words_and_counted() -> None:
    evidence = Evidence(
        classes=("otter",),
        classes_total=3,
        confused=(ConfusedPair(target=0, prediction=1, count=1200, name="cat and dog"),),
        confused_total=1,
        pairs=(ImagePair(key="a", other="b", copy_kind="exact", distance=0),) * 20,
        pairs_total=1234,
        suspects=(
            Suspect(
                key="k",
                given=0,
                suggested=1,
                probability=0.99,
                given_probability=0.001,
                name="labelled cat, looks like dog",
            ),
        ),
        suspects_total=1,
    )
    lines = evidence_lines(Finding.info("leakage", "", evidence))
    assert lines[0] == "classes: otter and 2 more"
    assert lines[1] == "cat and dog: 1,200"
    assert lines[2:12] == ("a = b: equal pixels",) * SHOWN
    assert lines[12] == "and 1,224 more"
    assert lines[13] == "k: labelled cat, looks like dog (99.0 %, its label 0.1 %)"
