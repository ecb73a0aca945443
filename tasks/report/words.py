"""The words of the report: states, titles of metrics, figures, times. Pages only place them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from tasks.metrics.intervals import REPLICATES
from tasks.metrics.metric import STATE_SENTENCES, IntervalMethod, Metric
from tasks.metrics.words import figure


@dataclass(frozen=True, slots=True)
class StateWord:
    """A state as people read it: a word, two signs of it, and what it means in one line."""

    state: str
    word: str
    icon: str
    emoji: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A metric in text; ``text`` is its written state where it has no value."""

    text: str
    interval: str = ""
    defined: bool = True

    def __str__(self) -> str:
        return f"{self.text} {self.interval}".rstrip()


NO_FIGURE = Figure("not measured", defined=False)
UNKNOWN = StateWord("not_applicable", "verdict not kept", "·", "⚪", "of before verdicts were kept")

STATES: dict[str, StateWord] = {
    word.state: word
    for word in (
        StateWord("passed", "passed", "✓", "✅", "every gate is met"),
        StateWord("failed", "failed", "✕", "❌", "a gate is shown to be missed; must not ship"),
        StateWord("inconclusive", "inconclusive", "?", "❔", "too few images to tell; not a pass"),
        StateWord(
            "incomplete", "incomplete", "⋯", "⏳", "predictions are missing; not judged to the end"
        ),
        StateWord("warning", "warning", "!", "⚠️", "missed, but this gate may only warn"),
        StateWord("unusable", "unusable", "!", "⛔", "an input is wrong; nothing was measured"),
        StateWord(
            "not_applicable", "not applicable", "—", "⚪", "there was nothing this gate could judge"
        ),
    )
}
"""Of outcomes and of verdicts."""

HINTS = {
    "top1": "the first guess is right",
    "top5": "the target is among the first five guesses",
    "balanced_accuracy": "mean recall of the classes present",
    "micro_precision": "the same as top-1, since every image has one label",
    "micro_recall": "the same as top-1, since every image has one label",
    "micro_f1": "the same as top-1, since every image has one label",
    "mcc": "agreement beyond chance: 0 is chance, 1 is perfect",
    "kappa": "agreement beyond chance: 0 is chance, 1 is perfect",
    "ece": "confidence against accuracy in 15 bins of equal width; lower is better",
    "ece_equal_mass": "confidence against accuracy in 15 bins of equal n; lower is better",
    "aurc": "mean share of mistakes if only the surest are used; lower is better",
    "nll": "nats; lower is better",
    "brier": "squared error of the probabilities; lower is better",
}
METHODS: dict[IntervalMethod, str] = {
    "wilson": "Wilson",
    "jaccard_wilson": "Wilson on the Jaccard index",
    "student": "Student's t",
    "bootstrap": f"bootstrap of {REPLICATES:,}, at least Wilson",
    "wilson_positives": "Wilson over positives",
    "hanley_mcneil": "score form of Hanley and McNeil",
    "none": "none",
}


def metric_hint(name: str) -> str:
    """What a metric means, or nothing where its title says it."""
    if name.startswith("macro_"):
        return "every class present counts the same"
    return "every image counts the same" if name.startswith("weighted_") else HINTS.get(name, "")


def figure_of(metric: Metric) -> Figure:
    """``85.0 %`` and ``[82.1, 87.5]``; or the written state."""
    if metric.value is None:
        return Figure(STATE_SENTENCES[metric.state], defined=False)
    return Figure(
        figure(metric.name, metric.value), interval_text(metric.name, metric.low, metric.high)
    )


def method_text(metric: Metric) -> str:
    """How the interval was made, and of what precision the scores were where that rounds."""
    rounded = "; from scores kept as float16" if metric.scores == "float16" else ""
    return METHODS[metric.method] + rounded


def duration_text(span: timedelta) -> str:
    """``4.2 s``, ``3 min 12 s``, ``2 h 05 min``."""
    seconds = max(span.total_seconds(), 0.0)
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def moment_text(moment: datetime) -> str:
    """``23 November 2026, 02:30 UTC``; ``moment`` is in UTC."""
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


def day_text(moment: datetime) -> str:
    """``23 November``."""
    return f"{moment.day} {moment:%B}"


def interval_text(name: str, low: float | None, high: float | None) -> str:
    """``[82.1, 87.5]`` of a metric."""
    if low is None or high is None:
        return "(too few for an interval)"
    ends = (figure(name, bound).removesuffix(" %") for bound in (low, high))
    return f"[{', '.join(ends)}]"
