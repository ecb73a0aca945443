"""What a report shows, as values: all text is made, nothing is marked up or escaped yet."""

from dataclasses import dataclass

from tasks.gates.gate import Gate
from tasks.metrics.scoring import Scoring
from tasks.night import Night, SkippedNote
from tasks.records import Pair
from tasks.report.changed import unchanged_sentence
from tasks.report.history import History
from tasks.report.trend import Trend
from tasks.report.words import Figure, StateWord

Fact = tuple[str, str]
"""A term and what is said of it."""


@dataclass(frozen=True, slots=True)
class FindingRow:
    """One gate and what became of it.

    Attributes:
        gate: what was demanded, for charts.
        demand: the gate, as ``top1 overall at least 75.0 %``.
        terms: how it was judged: policy, confidence, what it was judged on.
        failing: the classes that fail it with their figures, where there are several.
    """

    gate: Gate
    demand: str
    terms: str
    state: StateWord
    warns_only: bool
    sentence: str
    failing: tuple[str, ...]
    unlisted: int


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One overall metric, or one of a slice."""

    name: str
    title: str
    hint: str
    figure: Figure
    n: str
    method: str


@dataclass(frozen=True, slots=True)
class ClassRow:
    """The figures of one class; a class without samples has its written state in each of them.

    Attributes:
        areas: under its precision-recall curve and its ROC curve; None where scores were not kept.
    """

    index: int
    label: str
    id: str
    precision: Figure
    recall: Figure
    f1: Figure
    support: str
    areas: tuple[Figure, Figure] | None = None


@dataclass(frozen=True, slots=True)
class ConfusedRow:
    """Images of one class that were taken for another."""

    target: str
    prediction: str
    count: str
    share: str
    cell: tuple[int, int]


@dataclass(frozen=True, slots=True)
class PointRow:
    """An operating point and what its threshold reaches now."""

    name: str
    state: StateWord
    sentence: str


@dataclass(frozen=True, slots=True)
class SkippedGroup:
    """Entries of one split's source that are not in its shards; the first of them, and how many."""

    split: str
    total: int
    shown: tuple[SkippedNote, ...]

    @property
    def unlisted(self) -> int:
        return self.total - len(self.shown)


@dataclass(frozen=True, slots=True)
class WorkRow:
    """What a pair cost, or the whole night."""

    computed: str
    reused: str
    images: str
    duration: str
    rate: str


@dataclass(frozen=True, slots=True)
class HealthRow:
    """One health check and what it found; it never changes a state.

    Attributes:
        state, icon, word: the badge, as of a ``StateWord``.
        lines: its evidence, the first of it.
        images: the list of the gallery that shows its images, or nothing.
    """

    state: str
    icon: str
    word: str
    title: str
    sentence: str
    advice: str
    lines: tuple[str, ...]
    warns: bool
    images: str = ""


@dataclass(frozen=True, slots=True)
class PairView:
    """All that is shown of one pair.

    Attributes:
        href: its page, relative to the night's folder.
        sentence: why it has its state.
        notes: further remarks (images that failed, unlabelled ones, warnings).
        change: top-1 against the baseline, and whether its interval leaves out 0.
        baseline: the sentence on the baseline, or nothing.
        changes: what is different from the last night that had the pair.
        trend: top-1 over the last nights, this one included.
        class_note: how many classes have samples, and which of them are listed.
        scoring: the numbers behind the text, or None where there are none.
    """

    pair: Pair
    split: str
    href: str
    state: StateWord
    sentence: str
    notes: tuple[str, ...]
    change: Figure
    change_is_shown: bool
    baseline: str
    changes: tuple[str, ...]
    trend: Trend
    top1: Figure
    top5: Figure
    n: str
    work: WorkRow
    findings: tuple[FindingRow, ...]
    health: tuple[HealthRow, ...]
    overall: tuple[MetricRow, ...]
    slices: tuple[MetricRow, ...]
    classes: tuple[ClassRow, ...]
    class_note: str
    points: tuple[PointRow, ...]
    confused: tuple[ConfusedRow, ...]
    versions: tuple[Fact, ...]
    inputs: tuple[Fact, ...]
    skipped: SkippedGroup | None
    scoring: Scoring | None

    @property
    def health_warnings(self) -> tuple[HealthRow, ...]:
        """The checks that a person should look at."""
        return tuple(row for row in self.health if row.warns)

    @property
    def baseline_moved(self) -> str:
        """The sentence on the baseline where a change of top-1 is shown, else nothing."""
        return self.baseline if self.change.defined and self.change_is_shown else ""

    @property
    def has_areas(self) -> bool:
        """Whether the scores were kept that the areas of classes need."""
        return any(row.areas is not None for row in self.classes)

    @property
    def title(self) -> str:
        return f"{self.pair.model} on {self.split}"


@dataclass(frozen=True, slots=True)
class Report:
    """A night, ready to be put on a page; pairs come worst first.

    Attributes:
        headline: the answer to whether they may ship.
        marks: what sets the night apart from a whole one (quick, a reprocess, a deadline).
        tally: how many pairs have which state, worst first.
        intervals: what the brackets behind figures are.
    """

    night: Night
    state: StateWord
    headline: str
    marks: tuple[str, ...]
    tally: tuple[tuple[StateWord, int], ...]
    when: str
    intervals: str
    pairs: tuple[PairView, ...]
    work: WorkRow
    skipped: tuple[SkippedGroup, ...]
    provenance: tuple[Fact, ...]
    packages: tuple[Fact, ...]
    history: History

    @property
    def changed(self) -> tuple[PairView, ...]:
        """The pairs of which something is different from the last night, or from the baseline."""
        return tuple(view for view in self.pairs if view.changes or view.baseline_moved)

    @property
    def unchanged(self) -> str:
        """What is said where ``changed`` is empty."""
        points = [view.trend.points for view in self.pairs]
        return unchanged_sentence(points, len(self.history.nights) - 1)

    @property
    def is_measured(self) -> bool:
        """Whether any pair has figures."""
        return any(view.scoring is not None for view in self.pairs)

    @property
    def has_versions(self) -> bool:
        """Whether it is known of any pair what was, or would have been, measured."""
        return any(one.fingerprint or one.dataset_version for one in self.night.outcomes)

    @property
    def trends(self) -> tuple[Trend, ...]:
        """Those of more than one night."""
        found = (view.trend for view in self.pairs)
        return tuple(trend for trend in found if len(trend.measured) > 1)

    @property
    def hurting(self) -> tuple[PairView, ...]:
        """The pairs that may not ship."""
        return tuple(view for view in self.pairs if view.state.state != "passed")

    @property
    def passing(self) -> tuple[PairView, ...]:
        return tuple(view for view in self.pairs if view.state.state == "passed")

    def of(self, pair: Pair) -> PairView:
        """What is shown of a pair. Raises KeyError if it is not of this night."""
        for view in self.pairs:
            if view.pair == pair:
                return view
        raise KeyError(f"{pair} is no pair of the night {self.night.name}")
