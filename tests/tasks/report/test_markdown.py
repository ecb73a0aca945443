"""Markdown that says the verdict first and lets no name become markup."""

import pytest

from tasks.report.build import build_report
from tasks.report.markdown import escaped, night_markdown
from tests.tasks.report.nights import HOSTILE, MISSING, NightCase, make_night


def test_the_verdict_comes_first_as_a_word(case: NightCase) -> None:
    first = night_markdown(case.report).splitlines()[0]
    assert first.startswith("# ")
    assert "FAILED: No, 1 of 5 pairs failed" in first


def test_every_pair_has_a_row_with_its_figures(case: NightCase) -> None:
    text = night_markdown(case.report)
    for view in case.report.pairs:
        cells = [view.pair.model, view.split, f"{view.state.emoji} {view.state.word}"]
        for figure in (view.top1, view.top5):
            cells += [figure.text, figure.interval or "—"]
        assert f"| {' | '.join([*cells, view.n])} |" in text


def test_reasons_skipped_and_work_are_told(case: NightCase) -> None:
    text = night_markdown(case.report)
    for view in case.report.pairs:
        assert f"{view.state.word}: {escaped(view.sentence)}" in text
        assert all(escaped(note) in text for note in view.notes)
    assert escaped(MISSING) in text
    assert "  - &lt;b&gt;.png: no \\| image" in text
    assert "| **together** | 9 shards | 3 shards | 4,500 images | 37.5 s |" in text


def test_a_hostile_class_name_stays_text(case: NightCase) -> None:
    failed = next(outcome for outcome in case.night.outcomes if outcome.state == "failed")
    said = failed.verdicts[0].model_copy(update={"sentence": f"recall of {HOSTILE} is low"})
    outcome = failed.model_copy(update={"verdicts": (said,)})
    text = night_markdown(build_report(make_night((outcome,)), case.scorings))
    assert "<script" not in text
    assert "&lt;script&gt;alert('a')&lt;/script&gt; \\| \\`b\\`" in text


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("a|b", "a\\|b"),
        ("`x`", "\\`x\\`"),
        ("a & <b>", "a &amp; &lt;b&gt;"),
        ("[x](javascript:y)", "\\[x\\](javascript:y)"),
        ("top1_error _x_", "top1_error \\_x\\_"),
        ("two\nlines", "two lines"),
    ],
)
def test_escaping(text: str, safe: str) -> None:
    assert escaped(text) == safe


def test_an_empty_night_is_told() -> None:
    text = night_markdown(build_report(make_night(()), {}))
    assert "INCOMPLETE: Nothing was evaluated" in text
