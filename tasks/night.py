"""A night: one run of the plan. What became of each pair, and under which circumstances."""

import os
import platform
from collections.abc import Sequence
from datetime import datetime
from importlib import metadata
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from tasks.gates.baseline import AgainstBaseline
from tasks.gates.verdict import Verdict, overall_state
from tasks.health.finding import Finding
from tasks.models.cost import NOTHING, Cost
from tasks.quick import QuickLook
from tasks.records import Pair, Record
from tasks.weights.redaction import without_secrets

OutcomeState = Literal["passed", "failed", "inconclusive", "incomplete", "unusable"]
Promotion = Literal["automatic", "manual", "approval"]
NightKind = Literal["night", "reprocess"]
SUBJECTS = ("models", "datasets")
"""The keys of a plan under which it says what is evaluated."""
SEVERITY: tuple[OutcomeState, ...] = (
    "failed",
    "unusable",
    "incomplete",
    "inconclusive",
    "passed",
)
"""Of several outcomes the first of these is the night's."""
PACKAGES = ("nightmark", "torch", "torchvision", "timm", "numpy", "pillow", "pyarrow", "prefect")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Work(_Frozen):
    """What a pair cost: shards predicted now and shards whose predictions were there."""

    computed: int = 0
    reused: int = 0
    damaged: int = Field(
        default=0, description="Shards whose predictions were there, but not readable."
    )
    images: int = Field(default=0, description="Images predicted now.")
    seconds: float = 0.0
    slots: int = Field(default=0, description="Slots that could work at the same time.")
    cost: Cost = NOTHING
    setup: str = Field(default="", description="How the predictions were made, in words.")

    def followed_by(self, later: "Work") -> "Work":
        """This and later work on the same shards; what was computed before is not reused there."""
        return Work(
            computed=self.computed + later.computed,
            reused=max(later.reused - self.computed, 0),
            damaged=self.damaged + later.damaged,
            images=self.images + later.images,
            seconds=self.seconds + later.seconds,
            slots=max(self.slots, later.slots),
            cost=self.cost + later.cost,
            setup=later.setup or self.setup,
        )


class SkippedNote(_Frozen):
    """An entry of the source that is not in the shards."""

    source_name: str
    reason: str


class Outcome(_Frozen):
    """What became of one pair.

    ``unusable``: an input is wrong (a path, a model); ``incomplete``: predictions are missing or
    too many images failed. Both have a message that says what to do.
    """

    pair: Pair
    state: OutcomeState
    message: str
    scoring: str | None = None
    evaluation: str | None = None
    comparison: AgainstBaseline | None = None
    verdicts: tuple[Verdict, ...] = ()
    work: Work = Work()
    skipped: tuple[SkippedNote, ...] = ()
    samples: int = 0
    preprocessing: str = ""
    fingerprint: str = ""
    weights: str = Field(
        default="",
        description="Where they were fetched from and at which revision; empty: a local file.",
    )
    dataset_version: str = ""
    findings: tuple[Finding, ...] = ()
    cut_off: bool = Field(
        default=False, description="Incomplete for no other reason than the night's deadline."
    )
    quick: QuickLook | None = Field(
        default=None, description="Which part of the split was judged; null: all of it."
    )


class Provenance(_Frozen):
    """Under which circumstances a night ran; none of it changes a count."""

    python: str
    machine: str
    cores: int
    devices: tuple[str, ...]
    packages: dict[str, str]

    @classmethod
    def here(cls, devices: tuple[str, ...]) -> "Provenance":
        """Of this process."""
        return cls(
            python=platform.python_version(),
            machine=platform.machine(),
            cores=len(os.sched_getaffinity(0)),
            devices=devices,
            packages={name: metadata.version(name) for name in PACKAGES},
        )


class Night(Record):
    """``night.json``."""

    schema_name: Literal["nightmark.night"] = "nightmark.night"
    schema_version: Literal[1] = 1
    name: str
    kind: NightKind = Field(
        default="night", description="reprocess: chosen pairs of the plan, after an update."
    )
    quick: int | None = Field(
        default=None,
        description="Judged on the first so many shards of each split alone; null: on all.",
    )
    deadline: datetime | None = Field(
        default=None, description="When the work had to stop; what was not done is incomplete."
    )
    plan: str
    plan_digest: str
    overrides: tuple[Annotated[str, AfterValidator(without_secrets)], ...] = Field(
        default=(), description="KEY=VALUE that this run alone had in place of the plan's."
    )
    started: datetime
    finished: datetime
    state: OutcomeState
    outcomes: tuple[Outcome, ...]
    promotion: Promotion = Field(
        default="manual",
        description="automatic: what passed becomes the baseline of its pair; approval: it is held "
        "until a person decides.",
    )
    provenance: Provenance

    @property
    def work(self) -> Work:
        """The work of all pairs together."""
        return Work(
            computed=sum(outcome.work.computed for outcome in self.outcomes),
            reused=sum(outcome.work.reused for outcome in self.outcomes),
            damaged=sum(outcome.work.damaged for outcome in self.outcomes),
            images=sum(outcome.work.images for outcome in self.outcomes),
            seconds=sum(outcome.work.seconds for outcome in self.outcomes),
            slots=max((outcome.work.slots for outcome in self.outcomes), default=0),
            cost=sum((outcome.work.cost for outcome in self.outcomes), NOTHING),
        )


def of_subjects(overrides: Sequence[str]) -> tuple[str, ...]:
    """Those that change what is evaluated, and not only how or by which gates; as shown."""
    keys = {override: override.partition("=")[0].partition(".")[0] for override in overrides}
    return tuple(without_secrets(override) for override, key in keys.items() if key in SUBJECTS)


def worst(states: list[OutcomeState]) -> OutcomeState:
    """The state of a night: its worst outcome; without any it is incomplete."""
    return next((state for state in SEVERITY if state in states), "incomplete")


def judged_state(
    verdicts: tuple[Verdict, ...], n: int, failed: int, max_failed: int
) -> OutcomeState:
    """The state of a pair whose predictions are all there; ``n`` labelled images have one.

    Without any nothing was measured: it is unusable where no image has a label. More images than
    ``max_failed`` that could not be predicted make it incomplete, unless a gate failed all the
    same.
    """
    state = overall_state(verdicts)
    if not n:
        return "incomplete" if failed else "unusable"
    if state == "failed":
        return "failed"
    if failed > max_failed:
        return "incomplete"
    return "passed" if state == "passed" else "inconclusive"
