"""A metric: a value, its interval, its n, and what stands in its place where it is undefined."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tasks.metrics.intervals import (
    CONFIDENCE,
    Interval,
    auroc_interval,
    f1_interval,
    wilson,
)

Scope = Literal["overall", "class", "slice"]
State = Literal[
    "defined",
    "no_samples",
    "absent_class",
    "never_predicted",
    "infinite",
    "too_small",
    "needs_scores",
    "one_class",
    "no_negatives",
]
IntervalMethod = Literal[
    "wilson",
    "jaccard_wilson",
    "student",
    "bootstrap",
    "wilson_positives",
    "hanley_mcneil",
    "none",
]

STATE_SENTENCES: dict[State, str] = {
    "defined": "defined",
    "no_samples": "undefined: there is no labelled sample that was predicted",
    "absent_class": "undefined: the dataset has no sample of this class",
    "never_predicted": "undefined: the model never predicted this class",
    "infinite": "infinite: a target was given the probability 0",
    "too_small": "not judged: the slice has fewer samples than its `min_size`",
    "needs_scores": "undefined: it needs the probabilities of all classes, which were not kept",
    "one_class": "undefined: all targets, or all predictions, are one class",
    "no_negatives": "undefined: every sample is of this class",
}


class Metric(BaseModel):
    """One figure. ``value``, ``low`` and ``high`` are null unless ``state`` is ``defined``; the
    interval may be null where n is too small to have one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    scope: Scope = "overall"
    class_index: int | None = None
    slice: str | None = Field(default=None, description="`field=value`, where scope is `slice`.")
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = Field(ge=0, description="Samples (for precision: predictions) that it rests on.")
    hits: int | None = Field(
        default=None, description="The count above n, where it is a proportion."
    )
    negatives: int | None = Field(
        default=None, description="The samples of other classes, where an area rests on them too."
    )
    scores: Literal["float16", "float32"] | None = Field(
        default=None, description="In which precision the scores were kept that it needs."
    )
    method: IntervalMethod = "none"
    state: State = "defined"

    @model_validator(mode="after")
    def _names_what_it_is_of(self) -> Self:
        named = (self.class_index is not None, self.slice is not None)
        if named != (self.scope == "class", self.scope == "slice"):
            raise ValueError(f"{self.name}: scope {self.scope} does not fit class and slice")
        return self

    def interval(self, confidence: float) -> Interval | None:
        """The interval at another confidence, where n and counts give it; else the one at hand."""
        if self.value is None:
            return None
        match self.method, self.scope, self.hits, self.negatives:
            case "wilson", _, int(hits), _:
                return wilson(hits, self.n, confidence)
            case "jaccard_wilson", _, int(hits), _:
                return f1_interval(hits, self.n, confidence)
            case "wilson_positives", "class", _, _:
                return wilson(self.value * self.n, self.n, confidence)
            case "hanley_mcneil", _, _, int(negatives):
                return auroc_interval(self.value, self.n, negatives, confidence)
            case _:
                return None if self.low is None or self.high is None else (self.low, self.high)

    @classmethod
    def proportion(
        cls,
        name: str,
        hits: int,
        n: int,
        *,
        scope: Scope = "overall",
        class_index: int | None = None,
        slice_name: str | None = None,
    ) -> Self:
        """Hits / n with Wilson's interval; n of at least 1."""
        low, high = wilson(hits, n, CONFIDENCE)
        return cls(
            name=name,
            scope=scope,
            class_index=class_index,
            slice=slice_name,
            value=hits / n,
            low=low,
            high=high,
            n=n,
            hits=hits,
            method="wilson",
        )

    @classmethod
    def f1(cls, hits: int, union: int, class_index: int) -> Self:
        """F1 of a class; ``union`` samples are of it or predicted as it, at least 1."""
        low, high = f1_interval(hits, union, CONFIDENCE)
        return cls(
            name="f1",
            scope="class",
            class_index=class_index,
            value=2 * hits / (union + hits),
            low=low,
            high=high,
            n=union,
            hits=hits,
            method="jaccard_wilson",
        )

    @classmethod
    def undefined(
        cls,
        name: str,
        state: State,
        n: int = 0,
        class_index: int | None = None,
        slice_name: str | None = None,
    ) -> Self:
        """A figure that has no value, and why; of a class, of a slice, or overall."""
        scope: Scope = "overall" if class_index is None else "class"
        return cls(
            name=name,
            scope=scope if slice_name is None else "slice",
            class_index=class_index,
            slice=slice_name,
            n=n,
            state=state,
        )
