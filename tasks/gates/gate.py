"""A gate: a requirement on a metric, on its level or on its change against the baseline."""

import math
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tasks.gates.bands import Bands
from tasks.gates.sentences import Demand, Policy
from tasks.metrics.intervals import CONFIDENCE
from tasks.metrics.point_check import THRESHOLD_NAMES
from tasks.metrics.summary import CLASS_NAMES, OVERALL_NAMES, UNCOUNTED, is_overall
from tasks.metrics.words import LOSSES, PLAIN, metric_title
from tasks.predictions.ranking import TOP_K

PAIRED_NAMES = (*(f"top{k}" for k in range(1, TOP_K + 1)), "nll", "brier")
"""Overall metrics of which a comparison has the paired change and its interval."""
PAIRED_CLASS_NAMES = ("recall",)
GateScope = Literal["overall", "each_class", "worst_class", "slice"]
CHANGE_KEYS = ("max_drop", "max_rise", "min_gain")


class Gate(BaseModel):
    """A requirement on one metric: overall, of classes, or of slices of the samples."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str = Field(
        description=f"One of {', '.join((*OVERALL_NAMES, *CLASS_NAMES, *THRESHOLD_NAMES))}."
    )
    scope: GateScope = "overall"
    classes: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="Class ids or unique names; then only these are judged.",
    )
    slices: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="scope slice: only these, as `field=value`, or `field` for all its values.",
    )
    min: float | None = None
    max: float | None = None
    max_drop: float | None = Field(
        default=None,
        description="How far it may lie below the baseline (a non-inferiority margin; 0.01 is one "
        "point).",
    )
    max_rise: float | None = Field(
        default=None, description="nll, brier: how far it may lie above the baseline."
    )
    min_gain: float | None = Field(
        default=None, description="How much better than the baseline it must be."
    )
    relative: bool = Field(
        default=False, description="The change is a share of the baseline's value."
    )
    policy: Policy | None = Field(
        default=None, description="Default: proven; for each_class and the like, not_disproven."
    )
    confidence: Annotated[float, Field(gt=0, lt=1)] = CONFIDENCE
    severity: Literal["fail", "warn"] = "fail"
    bands: Bands | None = Field(default=None, description="What to call the figure in words.")
    datasets: tuple[str, ...] | None = Field(default=None, description="Only on these datasets.")
    models: tuple[str, ...] | None = Field(default=None, description="Only for these models.")

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        faults = (
            self._fault_of_scope(),
            self._fault_of_bands(),
            self._fault_of_change() if self.is_change else self._fault_of_level(),
        )
        for fault in faults:
            if fault:
                raise ValueError(fault)
        names = self._names()
        is_level = not (self.per_class or self.is_change)
        if self.metric not in names and not (is_level and is_overall(self.metric)):
            what = "has no change that is compared" if self.is_change else "is no such metric"
            raise ValueError(f"{self.metric!r} {what}; allowed here: {', '.join(names)}")
        if self.confidence != CONFIDENCE and self.metric in UNCOUNTED:
            raise ValueError(
                f"{self.metric} has its interval at {CONFIDENCE} only; leave out `confidence`"
            )
        return self

    @property
    def is_change(self) -> bool:
        """Whether it is judged on the change against the baseline."""
        return any(getattr(self, key) is not None for key in CHANGE_KEYS)

    @property
    def per_class(self) -> bool:
        return self.scope in ("each_class", "worst_class") or self.classes is not None

    @property
    def effective_policy(self) -> Policy:
        # What someone named is to be proven; among all of many, some look bad by chance.
        is_one = self.scope == "overall" or self.slices is not None
        default: Policy = "proven" if is_one else "not_disproven"
        return self.policy or default

    @property
    def demand(self) -> Demand:
        return Demand(
            metric=self.metric,
            low=self.min,
            high=self.max,
            policy=self.effective_policy,
            confidence=self.confidence,
            least_gain=self.least_gain,
            relative=self.relative,
        )

    @property
    def least_gain(self) -> float | None:
        """By how much the candidate must at least be better; negative where it may be worse."""
        if self.min_gain is not None:
            return self.min_gain
        margin = self.max_drop if self.max_drop is not None else self.max_rise
        return None if margin is None else -margin

    def applies_to(self, dataset: str, model: str) -> bool:
        return (self.datasets is None or dataset in self.datasets) and (
            self.models is None or model in self.models
        )

    def __str__(self) -> str:
        match self.scope:
            case "worst_class":
                scope = "of the worst class"
            case "each_class":
                scope = "of each class"
            case "slice":
                scope = "of each slice"
            case "overall":
                scope = "overall"
        if self.classes is not None:
            worst = "the worst of " if self.scope == "worst_class" else ""
            scope = f"of {worst}{', '.join(self.classes)}"
        if self.slices is not None:
            scope = f"of {', '.join(self.slices)}"
        return f"{metric_title(self.metric)} {scope} {self.demand}"

    def _names(self) -> tuple[str, ...]:
        if self.per_class:
            return PAIRED_CLASS_NAMES if self.is_change else (*CLASS_NAMES, *THRESHOLD_NAMES)
        return PAIRED_NAMES if self.is_change else OVERALL_NAMES

    def _fault_of_scope(self) -> str | None:
        if self.slices is not None and self.scope != "slice":
            return "`slices` needs `scope: slice`"
        if self.scope == "slice" and self.classes is not None:
            return "`classes` and `scope: slice` exclude each other; write two gates"
        if self.scope == "slice" and self.is_change:
            return "slices are not compared with the baseline; give `min` or `max`"
        if self.scope == "slice" and not self.metric.startswith("top"):
            return f"slices have top-k accuracy, not {self.metric}"
        if self.scope == "worst_class" and self.max is not None:
            return "the worst class is the lowest; `scope: worst_class` needs `min`"
        return None

    def _fault_of_change(self) -> str | None:
        given = [key for key in CHANGE_KEYS if getattr(self, key) is not None]
        if len(given) > 1:
            return f"`{given[0]}` and `{given[1]}` exclude each other; write two gates"
        if self.min is not None or self.max is not None:
            return f"a level (`min`, `max`) and a change (`{given[0]}`) are two gates; write both"
        is_loss = self.metric in LOSSES
        if given[0] == ("max_drop" if is_loss else "max_rise"):
            other = "max_rise" if is_loss else "max_drop"
            return f"{self.metric} gets worse when it {'rises' if is_loss else 'drops'}: `{other}`"
        bound = abs(self.least_gain or 0.0)
        top = math.inf if is_loss and not self.relative else 1.0
        if getattr(self, given[0]) < 0 or not math.isfinite(bound) or bound > top:
            limits = "at least 0" if math.isinf(top) else "a share between 0 and 1"
            return f"`{given[0]}` must be {limits} (0.01 is one point)"
        return None

    def _fault_of_bands(self) -> str | None:
        if self.bands is None:
            return None
        if self.scope != "overall" or self.per_class:
            return "`bands` belong to an overall gate"
        if self.is_change or self.metric in PLAIN:
            return "`bands` are of shares, not of losses or changes"
        return None

    def _fault_of_level(self) -> str | None:
        if self.relative:
            return "`relative` belongs to `max_drop`, `max_rise` or `min_gain`"
        if self.min is None and self.max is None:
            return "a gate needs `min` or `max`, or a change: `max_drop`, `max_rise`, `min_gain`"
        if self.min is not None and self.max is not None and self.min > self.max:
            return f"min {self.min} is above max {self.max}"
        top = math.inf if self.metric in LOSSES else 1.0
        for bound in (self.min, self.max):
            if bound is not None and not (math.isfinite(bound) and 0 <= bound <= top):
                limits = "at least 0" if self.metric in LOSSES else "a share between 0 and 1"
                return f"the bound {bound} must be {limits}"
        return None
