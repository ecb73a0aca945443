"""What is to be computed beyond the figures that every scoring has."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from tasks.metrics.point_check import ClassThreshold

TOP_KS = (1, 5)
"""Top-k of these is always given; a plan may ask for more."""


class ScoringSpec(BaseModel):
    """The wishes of a plan for the figures of one dataset."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    top_k: tuple[Annotated[int, Field(ge=1)], ...] = TOP_KS
    thresholds: tuple[ClassThreshold, ...] = Field(
        default=(), description="Operating points that are checked again."
    )

    @property
    def top_ks(self) -> tuple[int, ...]:
        """All that are given, rising."""
        return tuple(sorted({*TOP_KS, *self.top_k}))

    @property
    def identity(self) -> str:
        """Empty unless something is asked for, so that scorings keep their names without it."""
        wishes = self.model_copy(update={"top_k": self.top_ks})
        return "" if wishes == ScoringSpec() else wishes.model_dump_json()


DEFAULT = ScoringSpec()
