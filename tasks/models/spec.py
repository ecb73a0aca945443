"""What a model is, before it is loaded. No torch here: plans and fingerprints must stay cheap."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

ENGINE_REVISION = 1
"""Raise it by hand when the engine's numbers move; a golden test fails until you do."""

Output = Literal["logits", "probabilities", "log_probabilities"]
Interpolation = Literal["nearest", "bilinear", "bicubic"]
Triple = tuple[float, float, float]
Positive = Annotated[int, Field(ge=1)]
IMPORTED = "imported"
Setting = str | int | float | bool | None


class Preprocessing(BaseModel):
    """From a decoded RGB image to the model's input: resize, centre crop, x/255, (x − mean)/std.

    The words are those of timm's ``data/config.py``; sizes are pixels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    resize: Positive | tuple[Positive, Positive] | None = Field(
        default=None,
        description="Length of the shorter side, or [height, width]; none: as it is.",
    )
    crop: Positive | None = Field(default=None, description="Side of the centre crop, or none.")
    interpolation: Interpolation = "bilinear"
    antialias: bool = True
    mean: Triple = (0.0, 0.0, 0.0)
    std: Triple = (1.0, 1.0, 1.0)

    def __str__(self) -> str:
        resized = "as is" if self.resize is None else f"resize {self.resize} {self.interpolation}"
        crop = "" if self.crop is None else f", centre crop {self.crop}"
        plain = "" if self.antialias else ", no antialias"
        mean, std = (" ".join(f"{x:.4g}" for x in triple) for triple in (self.mean, self.std))
        return f"{resized}{crop}{plain}, mean {mean}, std {std}"


class ModelSpec(BaseModel):
    """Which network to build, which weights to put into it, and how to feed it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
    loader: Annotated[str, Field(pattern=r"^((torchvision|timm|module):.+|imported)$")] = Field(
        description="`torchvision:ARCHITECTURE[/WEIGHTS]`, `timm:ARCHITECTURE`, "
        "`module:PACKAGE.MODULE:FACTORY`, or `imported` for predictions computed elsewhere."
    )
    weights: Path | None = Field(
        default=None,
        description="Local safetensors, or a state dict that torch loads with weights_only; "
        "imported: the scores, npy [n, classes] in the dataset's order or Parquet (key, scores).",
    )
    targets: Path | None = Field(
        default=None,
        description="imported: npy of the labels that the scores belong to, compared with the "
        "dataset's before anything is imported.",
    )
    key_order: Literal["names", "positional"] = Field(
        default="names",
        description="How weights find their parameters: by name, or one by one in order, "
        "all shapes equal (for checkpoints of another implementation).",
    )
    arguments: Mapping[str, Setting] = Field(
        default_factory=dict, description="Arguments of the factory."
    )
    preprocessing: Preprocessing | None = Field(
        default=None, description="Taken from the weights where they carry it."
    )
    output: Output = Field(default="logits", description="What the model returns per class.")
    revision: str = Field(default="", description="Set by hand when code of your own changes.")


class Numerics(BaseModel):
    """Everything besides model and image that may move a prediction."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    precision: Literal["float32", "bfloat16", "float16"]
    decoder: Literal["pil", "torchvision"]
    device_type: Literal["cpu", "cuda"]
    engine_revision: int = ENGINE_REVISION


class ResolvedModel(BaseModel):
    """A spec whose preprocessing and weights are known: ready to be loaded anywhere."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    spec: ModelSpec
    preprocessing: Preprocessing
    weights_file: Path
    weights_sha256: str

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def is_imported(self) -> bool:
        """Whether its predictions were computed elsewhere, and there is nothing to load."""
        return self.spec.loader == IMPORTED

    @property
    def fingerprint(self) -> str:
        """Hex SHA-256 of all that defines the model version; where the weights lie does not."""
        facts = {
            "weights": self.weights_sha256,
            "loader": self.spec.loader,
            "arguments": dict(self.spec.arguments),
            "key_order": self.spec.key_order,
            "preprocessing": self.preprocessing.model_dump(),
            "output": self.spec.output,
            "revision": self.spec.revision,
        }
        return _digest(facts)


def run_name(model: ResolvedModel, numerics: Numerics) -> str:
    """Names the predictions of a model version under given numerics; starts with a letter."""
    return "r" + _digest([model.fingerprint, numerics.model_dump()])[:16]


def file_sha256(path: Path) -> str:
    """Hex SHA-256 of a file. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(facts: object) -> str:
    canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
