"""One thing that was looked at, and what to do about it."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

CheckState = Literal["fine", "warning", "fault", "skipped"]


class Check(BaseModel):
    """``fault``: nights will not run, or their results will be lost. ``skipped``: not asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    state: CheckState
    said: str
    remedy: str = ""

    @model_validator(mode="after")
    def _helps(self) -> Self:
        if (self.state in ("warning", "fault")) != bool(self.remedy):
            raise ValueError(f"{self.name}: what is wrong says what to do, and nothing else does")
        return self


def fine(name: str, said: str) -> Check:
    return Check(name=name, state="fine", said=said)


def skipped(name: str, said: str) -> Check:
    return Check(name=name, state="skipped", said=said)


def warning(name: str, said: str, remedy: str) -> Check:
    return Check(name=name, state="warning", said=said, remedy=remedy)


def fault(name: str, said: str, remedy: str) -> Check:
    return Check(name=name, state="fault", said=said, remedy=remedy)
