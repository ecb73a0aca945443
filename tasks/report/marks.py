"""What sets a night apart, and how far a pair moved from its baseline, in short."""

from tasks.gates.baseline import AgainstBaseline
from tasks.metrics.comparison_words import ends_text, signed
from tasks.metrics.words import counted
from tasks.night import Night
from tasks.report.words import Figure, moment_text

NO_BASELINE = Figure("no baseline", defined=False)


def night_marks(night: Night) -> tuple[str, ...]:
    """Sentences for whoever takes the night for a whole one."""
    marks = []
    if night.quick is not None:
        shards = counted(night.quick, "shard")
        marks.append(
            f"A quick look: judged on the first {shards} of each split alone. "
            f"It promotes nothing and is no baseline."
        )
    if night.kind == "reprocess":
        marks.append("A reprocess: chosen pairs of the plan, not all of them.")
    if night.deadline is not None:
        marks.append(f"It had to end by {moment_text(night.deadline)}.")
    return tuple(marks)


def change_figure(note: AgainstBaseline | None) -> Figure:
    """``−2.1 points`` and ``[−3.0, −1.2]``; in words where there is no such change."""
    if note is None:
        return NO_BASELINE
    change = note.top1
    if change is None or change.difference is None:
        words = {"unchanged": "is the baseline", "impossible": "not comparable"}
        return Figure(words.get(note.state, "not comparable"), defined=False)
    if change.low is None or change.high is None:
        return Figure(f"{signed(change.difference)} points", "(too few for an interval)")
    ends = ends_text("top1", (change.low, change.high)).replace(" to ", ", ")
    return Figure(f"{signed(change.difference)} points", f"[{ends}]")
