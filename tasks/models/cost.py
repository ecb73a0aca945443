"""What predicting cost, stage by stage: a value carried back from where the work was done."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Layer:
    """What one layer of a run took.

    Attributes:
        name: in words.
        seconds: of a slot: stages that ran side by side in its lanes count by their lane's share.
        share: of the time of all slots, 0 to 1; None where there was none.
    """

    name: str
    seconds: float
    share: float | None


def layers(cost: Cost, wall: float, slots: int) -> tuple[Layer, ...]:
    """Where ``slots`` slots left ``wall`` seconds of a run, outermost layer first.

    The lanes go on while rows are handed over and written, so that shares may add up to a little
    more than 1; where they waited for bytes or for one another, that is told too.
    """
    lanes = cost.capacity / cost.wall if cost.wall else 1.0
    stages = {
        "read": cost.read / lanes,
        "decode": cost.decode / lanes,
        "preprocess": cost.preprocess / lanes,
        "forward": cost.forward / lanes,
        "top-k and rows": cost.rank / lanes,
    }
    seconds = {
        "Prefect, and slots without a task": max(wall * slots - cost.task, 0.0),
        "start, load and hand over": max(cost.task - cost.wall - cost.write, 0.0),
        **stages,
        "lanes without a batch": max(cost.wall - sum(stages.values()), 0.0),
        "write": cost.write,
    }
    whole = wall * slots
    return tuple(
        Layer(name, spent, spent / whole if whole else None) for name, spent in seconds.items()
    )


class Stopwatch:
    """Collects the seconds of one batch; for one thread at a time."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._inside = 0.0

    @contextmanager
    def timed(self, stage: Stage) -> Iterator[None]:
        """Count the block, whatever comes of it, as this stage, less the stages inside it."""
        before, self._inside = self._inside, 0.0
        started = perf_counter()
        try:
            yield
        finally:
            spent = perf_counter() - started
            self.count(stage, spent - self._inside)
            self._inside = before + spent

    def count(self, stage: Stage, seconds: float) -> None:
        self._seconds[stage] = self._seconds.get(stage, 0.0) + seconds

    def cost(self, images: int) -> Cost:
        """What was collected, as the cost of so many images."""
        return Cost(images=images, **self._seconds)
