"""A report → Markdown, for Prefect's artifacts, pull requests and mail. All names are escaped."""

import re
from collections.abc import Iterable, Sequence

from tasks.report.view import PairView, Report
from tasks.report.words import Figure

LISTED_SKIPPED = 10
SPECIAL = re.compile(r"[\\`*\[\]|~]|(?<!\w)_|_(?!\w)")
"""What Markdown would read as markup; an underscore inside a word is none."""


def night_markdown(report: Report) -> str:
    """Verdicts first, then figures, reasons, what was skipped, computed and reused."""
    parts = [
        _heading(report),
        _table(report),
        _reasons("Where it hurts", report.hurting),
        _reasons("What may ship", report.passing),
        _health(report),
        _skipped(report),
        _work(report),
        _provenance(report),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def escaped(text: str) -> str:
    """Text from outside, so that Markdown shows it as it is, on one line, in or out of a table."""
    line = " ".join(text.split())
    safe = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return SPECIAL.sub(lambda found: f"\\{found.group()}", safe)


def _heading(report: Report) -> str:
    state = report.state
    tally = ", ".join(f"{count} {word.word}" for word, count in report.tally) or "no pair"
    return (
        f"# {state.emoji} {state.word.upper()}: {escaped(report.headline)}\n\n"
        f"{state.word.capitalize()}: {state.meaning}. Together: {tally}.\n\n"
        f"Plan {escaped(report.night.plan)}, {report.when}."
    )


def _table(report: Report) -> str:
    if not report.pairs:
        return ""
    rows = (
        (
            escaped(view.pair.model),
            escaped(view.split),
            f"{view.state.emoji} {view.state.word}",
            *_figure_cells(view.top1),
            *_figure_cells(view.top5),
            view.n,
        )
        for view in report.pairs
    )
    titles = ("Model", "Dataset", "Verdict", "Top-1", "interval", "Top-5", "interval", "n")
    body = _rows(titles, rows, right=3)
    return f"## Verdicts\n\n{body}\n\nIntervals: {report.intervals}."


def _figure_cells(figure: Figure) -> tuple[str, str]:
    return figure.text, figure.interval or "—"


def _reasons(title: str, views: Sequence[PairView]) -> str:
    if not views:
        return ""
    lines = [f"## {title}", ""]
    for view in views:
        lines.append(
            f"- {view.state.emoji} **{escaped(view.title)}** {view.state.word}: "
            f"{escaped(view.sentence)}"
        )
        lines += [f"  - {escaped(note)}" for note in view.notes]
    return "\n".join(lines)


def _health(report: Report) -> str:
    """What warns, with its advice; nothing where no check did."""
    views = [view for view in report.pairs if view.health_warnings]
    if not views:
        return ""
    lines = ["## Health", "", "These never change a verdict.", ""]
    for view in views:
        lines.append(f"- **{escaped(view.title)}**")
        lines += [
            f"  - ⚠️ {escaped(row.title)}: {escaped(row.sentence)} {escaped(row.advice)}"
            for row in view.health_warnings
        ]
    return "\n".join(lines)


def _skipped(report: Report) -> str:
    if not report.skipped:
        return "## Skipped\n\nNothing: every entry of the sources is in the shards."
    lines = ["## Skipped", ""]
    for group in report.skipped:
        lines.append(f"- **{escaped(group.split)}**: {group.total:,} not in the shards")
        shown = group.shown[:LISTED_SKIPPED]
        lines += [f"  - {escaped(note.source_name)}: {escaped(note.reason)}" for note in shown]
        if group.total > len(shown):
            lines.append(f"  - and {group.total - len(shown):,} more")
    return "\n".join(lines)


def _work(report: Report) -> str:
    named = [(escaped(view.title), view.work) for view in report.pairs]
    cells = (
        (name, work.computed, work.reused, work.images, work.duration)
        for name, work in (*named, ("**together**", report.work))
    )
    titles = ("Pair", "Computed", "Reused", "Images predicted", "Time")
    return f"## Computed and reused\n\n{_rows(titles, cells, right=1)}"


def _provenance(report: Report) -> str:
    facts = [f"- {term}: {escaped(text)}" for term, text in report.provenance]
    packages = ", ".join(f"{escaped(name)} {escaped(version)}" for name, version in report.packages)
    return "\n".join(("## Provenance", "", *facts, f"- Packages: {packages}"))


def _rows(titles: Sequence[str], rows: Iterable[Sequence[str]], right: int) -> str:
    """A table; its columns from ``right`` on are aligned to the right."""
    marks = ["---" if place < right else "---:" for place in range(len(titles))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (titles, marks, *rows))
