"""What is to be computed beyond the figures that every scoring has."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from tasks.metrics.point_check import ClassThreshold

TOP_KS = (1, 5)
"""Top-k of these is always given; a plan may ask for more."""

SIZE, ASPECT, CLASS_GROUP = "size", "aspect", "class_group"
"""Fields that every sample has: width x height in pixels, width / height, groups of classes."""

SIZE_QUANTILES = 4
ASPECT_EDGES = (0.8, 1.25)


class SliceSpec(BaseModel):
    """The samples by the values of one of their fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    field: str = Field(
        min_length=1,
        description="A field of the sample's json or a column of samples.parquet; or `size` "
        "(pixels), `aspect` (width / height), `class_group`.",
    )
    edges: tuple[FiniteFloat, ...] | None = Field(
        default=None, min_length=1, description="Numbers are put into bins with these borders."
    )
    quantiles: Annotated[int, Field(ge=2, le=20)] | None = Field(
        default=None, description="Numbers are put into so many bins of about equal n."
    )
    min_size: Annotated[int, Field(ge=1)] = Field(
        default=30, description="Smaller slices are listed without figures."
    )

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        if self.edges is not None and self.quantiles is not None:
            raise ValueError(f"slice {self.field}: give `edges` or `quantiles`, not both")
        if self.edges is not None and any(low >= high for low, high in pairwise(self.edges)):
            raise ValueError(f"slice {self.field}: `edges` must rise")
        if self.field == CLASS_GROUP and (self.edges or self.quantiles):
            raise ValueError(f"slice {CLASS_GROUP}: groups of classes have no bins")
        return self


class ScoringSpec(BaseModel):
    """The wishes of a plan for the figures of one dataset."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    top_k: tuple[Annotated[int, Field(ge=1)], ...] = TOP_KS
    thresholds: tuple[ClassThreshold, ...] = Field(
        default=(), description="Operating points that are checked again."
    )
    slices: tuple[SliceSpec, ...] = ()
    class_groups: Mapping[str, tuple[str, ...]] = Field(
        default={}, description="Name → class ids or unique names."
    )

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        fields = [entry.field for entry in self.slices]
        if len(set(fields)) != len(fields):
            raise ValueError("slices: a field stands twice")
        if CLASS_GROUP in fields and not self.class_groups:
            raise ValueError(f"slice {CLASS_GROUP}: there are no `class_groups`")
        for name, members in self.class_groups.items():
            if not name or not members:
                raise ValueError(f"class_groups: {name!r} needs a name and classes")
        return self

    @property
    def top_ks(self) -> tuple[int, ...]:
        """All that are given, rising."""
        return tuple(sorted({*TOP_KS, *self.top_k}))

    @property
    def fields(self) -> tuple[SliceSpec, ...]:
        """The slices that are asked for; groups of classes are, by being named."""
        named = any(entry.field == CLASS_GROUP for entry in self.slices)
        groups = (SliceSpec(field=CLASS_GROUP),) if self.class_groups and not named else ()
        return (*self.slices, *groups)

    @property
    def identity(self) -> str:
        """Empty unless something is asked for, so that scorings keep their names without it."""
        wishes = self.model_copy(update={"top_k": self.top_ks})
        return "" if wishes == DEFAULT else wishes.model_dump_json()


DEFAULT = ScoringSpec()
