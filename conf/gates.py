"""The gates of a plan: one by one, or as a preset that comes with nightmark."""

from collections.abc import Mapping
from importlib import resources
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, TypeAdapter

from tasks.gates.gate import Gate

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]


class GatePreset(BaseModel):
    """A list of gates that comes with nightmark."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    preset: Literal["cifar10", "imagenet"]
    datasets: tuple[Name, ...] | None = None
    models: tuple[Name, ...] | None = None

    def gates(self) -> tuple[Gate, ...]:
        """The gates of the preset, on these datasets and models."""
        raw = resources.files("conf").joinpath("presets", f"{self.preset}.yaml").read_text("utf-8")
        gates = TypeAdapter(tuple[Gate, ...]).validate_python(yaml.safe_load(raw))
        update = {"datasets": self.datasets, "models": self.models}
        return tuple(gate.model_copy(update=update) for gate in gates)


def _has_preset(entry: object) -> bool:
    return isinstance(entry, Mapping) and "preset" in entry


GateEntry = Annotated[
    Annotated[Gate, Tag("gate")] | Annotated[GatePreset, Tag("preset")],
    Discriminator(
        lambda entry: "preset" if isinstance(entry, GatePreset) or _has_preset(entry) else "gate"
    ),
]
