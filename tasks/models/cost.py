"""What predicting cost, stage by stage: a value carried back from where the work was done."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Stage = Literal["read", "decode", "preprocess", "forward", "rank"]


class Cost(BaseModel):
    """Seconds of one thread in each stage, added up over all threads; costs add.

    ``wall`` is the time for which a slot was at these images, ``capacity`` the same times the
    threads that could work meanwhile: the stages together cannot exceed it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: int = 0
    read: float = Field(default=0.0, description="Bytes from the store, checksums compared.")
    decode: float = Field(default=0.0, description="Encoded images to pixels.")
    preprocess: float = Field(default=0.0, description="Resize, crop, stack into one batch.")
    forward: float = Field(default=0.0, description="Copy to the device, normalise, network.")
    rank: float = Field(default=0.0, description="Softmax, top-k, Arrow rows.")
    wall: float = 0.0
    capacity: float = 0.0
    task: float = Field(default=0.0, description="Whole tasks: load, hand over, predict, write.")
    write: float = Field(default=0.0, description="Rows to Parquet, in the store.")

    def __add__(self, other: "Cost") -> "Cost":
        fields = type(self).model_fields
        return Cost(**{name: getattr(self, name) + getattr(other, name) for name in fields})


NOTHING = Cost()


class Stopwatch:
    """Collects the seconds of one batch; for one thread at a time."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    @contextmanager
    def timed(self, stage: Stage) -> Iterator[None]:
        """Count the block, whatever comes of it, as this stage."""
        started = perf_counter()
        try:
            yield
        finally:
            self.count(stage, perf_counter() - started)

    def count(self, stage: Stage, seconds: float) -> None:
        self._seconds[stage] = self._seconds.get(stage, 0.0) + seconds

    def cost(self, images: int) -> Cost:
        """What was collected, as the cost of so many images."""
        return Cost(images=images, **self._seconds)
