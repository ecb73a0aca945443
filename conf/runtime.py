"""How a plan is run: where, on what, in what pieces."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from tasks.deadline import deadline_at
from tasks.models.spec import DecoderName
from tasks.report.gallery import PICTURES


def _switch(value: object) -> object:
    """YAML reads a bare ``on`` and ``off`` as true and false."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


def _deadline(value: object) -> object:
    """Whether it is one: a number is none, and YAML reads a bare 22:30 as 1350."""
    if value is not None:
        deadline_at(str(value), datetime.now(UTC), ZoneInfo("UTC"))
    return value


def _time_zone(value: str) -> str:
    try:
        return ZoneInfo(value).key
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("no time zone is called so; write one as Europe/Berlin") from error


class RuntimePlan(BaseModel):
    """How to run: speed and place; only precision, decoder and compile can change a number."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    root: str = Field(
        default="artifacts",
        description="Artifact root, a path or fsspec URL; NIGHTMARK_ROOT overrides it.",
    )
    devices: tuple[str, ...] = Field(
        default=("auto",),
        min_length=1,
        description="`auto`, or names: cuda:0, cuda:all, cpu:1; cuda:0*2, cpu*2: two slots.",
    )
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    decoder: DecoderName = "pil"
    compile: Annotated[Literal["auto", "on", "off"], BeforeValidator(_switch)] = Field(
        default="auto",
        description="Compile networks: auto on a CPU where the dataset is large enough to be "
        "worth it.",
    )
    batch_size: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Images per batch at most; none: 32 on a CPU, 256 on CUDA."
    )
    samples_per_shard: Annotated[int, Field(ge=1)] = 1000
    shards_per_task: Literal["auto"] | Annotated[int, Field(ge=1)] = Field(
        default="auto",
        description="Shards in one Prefect task; auto: ten seconds of work or more, by size.",
    )
    keep_scores: bool = Field(
        default=True, description="Keep all probabilities of up to 1,000 classes."
    )
    max_failed: Annotated[int, Field(ge=0)] = Field(
        default=0, description="Images that may fail to be predicted before a run is incomplete."
    )
    deadline: Annotated[str | None, BeforeValidator(_deadline)] = Field(
        default=None,
        description="When a night stops and publishes what is whole: 3h, or '06:30'; none: never.",
    )
    time_zone: Annotated[str, AfterValidator(_time_zone)] = Field(
        default="UTC", description="Whose clocks a deadline like '06:30' means: Europe/Berlin."
    )
    prometheus: Path | None = Field(
        default=None,
        description="A .prom file that every whole night replaces, for Prometheus' node exporter.",
    )
    thumbnails: Annotated[int, Field(ge=0)] = Field(
        default=PICTURES,
        description="Images of each pair that a night keeps to show; all mistakes are listed.",
    )
    reports_url: str = Field(
        default="http://127.0.0.1:4201",
        description="Where the nights' pages are served, for the links of runs; this is where "
        "`nightmark ui` serves them.",
    )
