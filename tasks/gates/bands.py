"""Bands: what people call a share, such as the textbook's bad, fair, good and strong accuracy."""

from collections.abc import Iterator
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tasks.metrics.intervals import Interval

BandName = Literal["bad", "below good", "below strong", "fair", "good", "strong"]


class Bands(BaseModel):
    """From which share on a figure is called so: words beside a verdict, which decide nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fair: float | None = Field(default=None, ge=0, le=1, description="Below it: bad.")
    good: float | None = Field(default=None, ge=0, le=1)
    strong: float | None = Field(default=None, ge=0, le=1)

    @model_validator(mode="after")
    def _ascend(self) -> Self:
        bounds = [bound for _, bound in self._given()]
        if not bounds:
            raise ValueError("bands need one of `fair`, `good`, `strong`")
        if bounds != sorted(set(bounds)):
            raise ValueError("bands must rise from `fair` over `good` to `strong`")
        return self

    def name(self, share: float) -> BandName:
        """The highest band that the share reaches; a bound that is just met is met."""
        below: BandName = "bad"
        if self.fair is None:
            below = "below strong" if self.good is None else "below good"
        reached: BandName = below
        for name, bound in self._given():
            if share >= bound:
                reached = name
        return reached

    def sentence(self, share: float, interval: Interval | None) -> str:
        """``That is good.``, and over which bands the interval reaches, if over several."""
        said = f"That is {self.name(share)}"
        if interval is None:
            return f"{said}."
        low, high = (self.name(end) for end in interval)
        return f"{said}." if low == high else f"{said}; the interval reaches from {low} to {high}."

    def _given(self) -> Iterator[tuple[Literal["fair", "good", "strong"], float]]:
        if self.fair is not None:
            yield "fair", self.fair
        if self.good is not None:
            yield "good", self.good
        if self.strong is not None:
            yield "strong", self.strong
